"""Daily updates: which tickers have a session to fetch, when to ask for it, and when to ask again.

Decisions only, as pure functions of what is known and the time; `stock_assets/sensors.py` carries them out.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta

from stock_assets.forecasting.sessions import last_closed_session

SETTLING = timedelta(minutes=45)
"""Time given to a source after the close: Yahoo's bar of the day is complete some 20 to 30 minutes after it."""
WAITS = tuple(timedelta(minutes=minutes) for minutes in (30, 60, 120, 240, 480))
"""Waits between attempts at one session: together longer than the night between a close and the next open."""


@dataclass(frozen=True)
class Listed:
    """What is known of one ticker.

    Attributes:
        newest_session: session of its newest bar.
        ends: the newest session its source can ever give; None where it follows the market.
    """

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

    @property
    def run_key(self) -> str:
        """Names the request for ever: calendar, session, ticker, and the attempt where it is not the first."""
        first = f"{self.calendar}:{self.session}:{self.ticker}"
        return first if self.number == 1 else f"{first}:{self.number}"


def due_updates(listed: Iterable[Listed], attempts: Mapping[str, Attempt], *, now: datetime) -> list[Update]:
    """The updates to request now.

    A ticker is due when the exchange has closed a session, `SETTLING` ago at least, that its bars do not have. However
    many sessions were missed (the machine was off), one update brings them all. A session whose bar does not come is
    asked for again after each of `WAITS`; then the next session's update brings it.

    Args:
        listed: the universe.
        attempts: each ticker's latest request.
        now: aware.

    Raises:
        UnknownCalendar, OutsideCalendar: as `last_closed_session`.
    """
    found = []
    for one in listed:
        session = last_closed_session(one.calendar, now - SETTLING)
        if one.ends is not None:
            session = min(session, one.ends)
        if one.newest_session < session:
            number = _next_attempt(attempts.get(one.ticker), session, now)
            if number is not None:
                found.append(Update(one.ticker, one.calendar, session, number))
    return found


def is_stale(one: Listed, *, now: datetime, patience: timedelta) -> bool:
    """Whether a ticker's bars lack a session that closed more than `patience` ago.

    Weekends and holidays have no session, so they make nothing stale; neither does a source that has ended.

    Args:
        now: aware.
    """
    if one.ends is not None and one.newest_session >= one.ends:
        return False
    return one.newest_session < last_closed_session(one.calendar, now - patience)


def _next_attempt(latest: Attempt | None, session: date, now: datetime) -> int | None:
    """The number of the attempt to make now, or None while waiting or when all have been made."""
    if latest is None or latest.session != session:
        return 1
    if latest.number > len(WAITS) or now - latest.at < WAITS[latest.number - 1]:
        return None
    return latest.number + 1
