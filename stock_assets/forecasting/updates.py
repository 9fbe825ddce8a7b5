"""Daily updates: which tickers have a session to fetch, when to ask for it, and when to ask again.

Decisions only, as pure functions of what is known and the time; `stock_assets/sensors/` carries them out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache

from stock_assets.errors import StockAssetsError
from stock_assets.forecasting.sessions import last_closed_session

SETTLING = timedelta(minutes=45)
"""Time given to a source after the close: Yahoo's bar of the day is complete some 20 to 30 minutes after it."""
WAITS = tuple(timedelta(minutes=minutes) for minutes in (30, 60, 120, 240, 480))
"""Waits between attempts at one session: together longer than the night between a close and the next open."""


@dataclass(frozen=True)
class Listed:
    """What is known of one ticker; its source can give no session after `ends`, None where it follows the market."""

    ticker: str
    calendar: str
    newest_session: date
    ends: date | None = None


@dataclass(frozen=True)
class Attempt:
    """The latest request for a ticker's session: the how-manieth it was, and when."""

    session: date
    number: int
    at: datetime


@dataclass(frozen=True)
class Update:
    """A request to be made."""

    ticker: str
    calendar: str
    session: date
    number: int


def due_updates(
    listed: Iterable[Listed], attempts: Mapping[str, Attempt], *, now: datetime
) -> tuple[list[Update], dict[str, str]]:
    """The updates to request `now` (aware), by each ticker's latest attempt, and ticker → why nothing is known of it.

    A ticker is due when the exchange has closed a session, `SETTLING` ago at least, that its bars do not have. However
    many sessions were missed (the machine was off), one update brings them all. A session whose bar does not come is
    asked for again after each of `WAITS`; then the next session's update brings it.
    """
    found = []
    known, problems = _last_closed(listed, now - SETTLING)
    for one, session in known:
        if one.newest_session < session:
            number = _next_attempt(attempts.get(one.ticker), session, now)
            if number is not None:
                found.append(Update(one.ticker, one.calendar, session, number))
    return found, problems


def stale_tickers(
    listed: Iterable[Listed], *, now: datetime, patience: timedelta
) -> tuple[list[Listed], dict[str, str]]:
    """The tickers whose bars lack a session that closed more than `patience` before `now` (aware); problems as above.

    Weekends and holidays have no session, so they make nothing stale; neither does a source that has ended.
    """
    going_on = [one for one in listed if one.ends is None or one.newest_session < one.ends]
    known, problems = _last_closed(going_on, now - patience)
    return [one for one, session in known if one.newest_session < session], problems


def _last_closed(listed: Iterable[Listed], moment: datetime) -> tuple[list[tuple[Listed, date]], dict[str, str]]:
    """Each ticker's newest session that had closed and its source can give; ticker → why nothing is known of it."""
    closed = cache(lambda calendar: last_closed_session(calendar, moment))
    found, problems = [], {}
    for one in listed:
        try:
            session = closed(one.calendar)
        except StockAssetsError as error:
            problems[one.ticker] = str(error)
        else:
            found.append((one, session if one.ends is None else min(session, one.ends)))
    return found, problems


def _next_attempt(latest: Attempt | None, session: date, now: datetime) -> int | None:
    """The number of the attempt to make now, or None while waiting or when all have been made."""
    if latest is None or latest.session != session:
        return 1
    if latest.number > len(WAITS) or now - latest.at < WAITS[latest.number - 1]:
        return None
    return latest.number + 1
