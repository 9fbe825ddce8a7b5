"""Trading sessions of exchanges, from `exchange_calendars`: dates, openings, closes (early ones too), look-backs."""

import re
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

import numpy as np
import pandas as pd

from stock_assets.forecasting.errors import InvalidLookback, NotASession, OutsideCalendar, UnknownCalendar

# The package starts its calendars 20 years back and ends them a year ahead; both are too near for us. Nearly every
# look-back starts after 1990, which builds in 0.4 s; older bars (Yahoo's ^GSPC starts in 1927) get the longer calendar.
_USUAL_START = pd.Timestamp("1990-01-01")
_EARLIEST_START = pd.Timestamp("1900-01-01")
_END = pd.Timestamp("2040-12-31")

_LOOKBACK = re.compile(r"([1-9]\d{0,4})(y|mo|d)")
AROUND_THE_CLOCK_GRACE = timedelta(hours=1)
"""How long after its open a session that follows without a pause may still be forecast. The bar before it is complete
only some 20 minutes after that open; an hour leaves time for a run over many tickers, and is a small part of the day
that is forecast."""

CALENDAR_ENDS_SOON = timedelta(days=31)
"""A month leaves time to install a newer release before a ticker has no next session to forecast."""

_DAYS_AND_MONTHS = {"y": (0, 12), "mo": (0, 1), "d": (1, 0)}


def next_session(calendar: str, session: date) -> date:
    """First session after `session`, which need not be a session itself.

    `UnknownCalendar`, `OutsideCalendar` where the calendar does not exist or does not reach that far.
    """
    known = _covering(calendar, session)
    position = int(known.sessions.searchsorted(pd.Timestamp(session), side="right"))
    if position == len(known.sessions):
        raise _outside(calendar, known, session)
    found: date = known.sessions[position].date()
    return found


def session_open(calendar: str, session: date) -> datetime:
    """When the session opens, UTC. `NotASession` where the exchange is closed; other errors as `next_session`."""
    return _utc(_with_session(calendar, session).session_open(pd.Timestamp(session)))


def session_close(calendar: str, session: date) -> datetime:
    """When the session closes, UTC; early closes are known. Errors as `session_open`."""
    return _utc(_with_session(calendar, session).session_close(pd.Timestamp(session)))


def live_until(calendar: str, session: date) -> datetime:
    """Until when a forecast of `session` still counts as live, UTC (docs/adr/0014).

    That is its open. Where the exchange did not close before it (24/7; 24/5 from Tuesday to Friday), the bar to
    forecast from is known at that open at the earliest, so `AROUND_THE_CLOCK_GRACE` is added. Errors as `session_open`.
    """
    known = _with_session(calendar, session)
    opens = session_open(calendar, session)
    position = int(known.sessions.get_loc(pd.Timestamp(session)))
    never_closed = position > 0 and known.opens.iloc[position] <= known.closes.iloc[position - 1]
    return opens + AROUND_THE_CLOCK_GRACE if never_closed else opens


def sessions_between(calendar: str, start: date, end: date) -> pd.DatetimeIndex:
    """Sessions in [start, end], ascending, datetime64[ns] at midnight without zone. Errors as `next_session`."""
    known = _covering(calendar, start, end)
    first = known.sessions.searchsorted(pd.Timestamp(start), side="left")
    last = known.sessions.searchsorted(pd.Timestamp(end), side="right")
    return pd.DatetimeIndex(known.sessions[first : max(first, last)].to_numpy())


def are_sessions(calendar: str, days: pd.Series) -> pd.Series:
    """Whether the exchange trades on each of `days` (datetime64[ns]), on their index. Errors as `next_session`."""
    if days.empty:
        return days.notna()
    return days.isin(sessions_between(calendar, days.min().date(), days.max().date()))


def last_closed_session(calendar: str, now: datetime) -> date:
    """Newest session whose close is at or before `now` (aware). Errors as `next_session`."""
    known = _covering(calendar, now.astimezone(UTC).date())
    position = int(known.closes.searchsorted(pd.Timestamp(now), side="right"))
    if position == 0:
        raise _outside(calendar, known, now.date())
    found: date = known.sessions[position - 1].date()
    return found


def last_known_session(calendar: str) -> date:
    """Last session that the calendar knows; some publish no more than the present year. Errors as `next_session`."""
    found: date = _calendar(calendar, _USUAL_START).last_session.date()
    return found


def ends_soon(calendar: str, today: date) -> date | None:
    """Last session of a calendar that ends within `CALENDAR_ENDS_SOON` of `today`, or has ended; None: it goes on.

    Raises:
        UnknownCalendar: where the calendar does not exist.
    """
    last = last_known_session(calendar)
    return last if last <= today + CALENDAR_ENDS_SOON else None


def closing_times(calendar: str, sessions: pd.Series) -> pd.Series:
    """Close of each of `sessions` (datetime64[ns], midnight), datetime64[ns, UTC]. Errors as `next_session`.

    A date on which the exchange is closed gets the end of that day in UTC, so that a misplaced bar still has an age.
    """
    end_of_day: pd.Series = sessions.dt.tz_localize(UTC) + pd.Timedelta(days=1)
    if sessions.empty:
        return end_of_day
    known = _covering(calendar, sessions.min().date(), sessions.max().date())
    return sessions.map(known.closes).astype("datetime64[ns, UTC]").fillna(end_of_day)


def lookback_start(end: date, lookback: str) -> date:
    """First date of a look-back to `end`: `5y` years, `18mo` months or `250d` calendar days; else `InvalidLookback`."""
    match = _LOOKBACK.fullmatch(lookback)
    if match:
        try:
            days, months = (int(match[1]) * unit for unit in _DAYS_AND_MONTHS[match[2]])
            return (pd.Timestamp(end) - pd.DateOffset(months=months, days=days)).date()
        except (OverflowError, ValueError):  # before the first date pandas can hold, in 1677
            match = None
    problem = f"the look-back is {lookback!r}; expected a whole number of y, mo or d, no further back than 1700"
    raise InvalidLookback(problem, cure="write for example 5y, 18mo or 250d")


@cache
def _calendar(name: str, start: pd.Timestamp) -> Any:
    import exchange_calendars
    from exchange_calendars.errors import InvalidCalendarName

    try:
        kind = type(exchange_calendars.get_calendar(name))
    except InvalidCalendarName as error:
        raise UnknownCalendar(
            f"{name!r} is not an exchange calendar; expected a name that exchange_calendars knows, like XNYS or XLON",
            cure="correct the ticker's calendar",
        ) from error
    # Some calendars are known for a part of that time only: XTKS from 1997, XBOM to the end of a published year.
    earliest, latest = kind.bound_min(), kind.bound_max()
    return kind(start=max(start, earliest or start), end=min(_END, latest or _END))


def _covering(name: str, *dates: date) -> Any:
    start = _USUAL_START if pd.Timestamp(min(dates)) >= _USUAL_START else _EARLIEST_START
    known = _calendar(name, start)
    earliest = start if known.bound_min() is None else max(start, known.bound_min())
    latest = _END if known.bound_max() is None else min(_END, known.bound_max())
    for day in dates:
        if not earliest <= pd.Timestamp(day) <= latest:
            raise _outside(name, known, day)
    return known


def _with_session(name: str, session: date) -> Any:
    known = _covering(name, session)
    if not known.is_session(pd.Timestamp(session)):
        problem = f"{session:%Y-%m-%d} is not a session of {name}; expected a day on which the exchange trades"
        raise NotASession(problem, cure=f"use its next session, {next_session(name, session):%Y-%m-%d}")
    return known


def _outside(name: str, known: Any, day: date) -> OutsideCalendar:
    return OutsideCalendar(
        f"{day:%Y-%m-%d} is outside the calendar {name}, which is known from {known.first_session:%Y-%m-%d} "
        f"to {known.last_session:%Y-%m-%d}",
        cure="ask for dates inside, or install a newer exchange_calendars",
    )


def _utc(stamp: pd.Timestamp) -> datetime:
    return datetime.fromtimestamp(int(np.int64(stamp.value) // 10**9), tz=UTC)
