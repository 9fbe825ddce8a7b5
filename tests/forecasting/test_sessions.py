from datetime import UTC, date, datetime
from itertools import pairwise
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from stock_assets.forecasting.errors import InvalidLookback, NotASession, OutsideCalendar, UnknownCalendar
from stock_assets.forecasting.sessions import (
    are_sessions,
    closing_times,
    last_closed_session,
    live_until,
    lookback_start,
    next_session,
    session_close,
    session_open,
    sessions_between,
)
from stock_assets.sources._bars import COMPLETE_AFTER

NEW_YORK = ZoneInfo("America/New_York")


def test_days_are_told_from_sessions_and_keep_their_index() -> None:
    days = pd.Series(
        pd.to_datetime(["2011-01-16", "2011-01-14", "2011-01-17"]), index=[5, 3, 9]
    )  # a Sunday, a Friday, a holiday

    assert are_sessions("XNYS", days).to_dict() == {5: False, 3: True, 9: False}
    assert are_sessions("XNYS", days.head(0)).dtype == bool


@pytest.mark.parametrize(
    ("day", "following"),
    [
        (date(2024, 7, 3), date(2024, 7, 5)),  # Independence Day
        (date(2024, 7, 4), date(2024, 7, 5)),  # from a day that is no session
        (date(2024, 7, 5), date(2024, 7, 8)),  # a weekend
        (date(2001, 9, 10), date(2001, 9, 17)),  # closed for four sessions after the attacks
        (date(2012, 10, 26), date(2012, 10, 31)),  # hurricane Sandy
    ],
)
def test_next_session_skips_days_without_trading(day: date, following: date) -> None:
    assert next_session("XNYS", day) == following


@pytest.mark.parametrize(
    ("session", "opens", "closes"),
    [
        (date(2024, 7, 2), (9, 30), (16, 0)),
        (date(2024, 7, 3), (9, 30), (13, 0)),  # early close before the holiday
        (date(2024, 1, 2), (9, 30), (16, 0)),  # winter time
    ],
)
def test_sessions_open_and_close_at_new_york_times(
    session: date, opens: tuple[int, int], closes: tuple[int, int]
) -> None:
    opened, closed = session_open("XNYS", session), session_close("XNYS", session)

    assert opened == datetime(session.year, session.month, session.day, *opens, tzinfo=NEW_YORK)
    assert closed == datetime(session.year, session.month, session.day, *closes, tzinfo=NEW_YORK)
    assert opened.tzinfo is UTC
    assert closed.tzinfo is UTC


def test_sessions_between_are_inclusive_naive_midnights() -> None:
    sessions = sessions_between("XNYS", date(2001, 9, 10), date(2001, 9, 18))

    assert list(sessions) == [pd.Timestamp("2001-09-10"), pd.Timestamp("2001-09-17"), pd.Timestamp("2001-09-18")]
    assert str(sessions.dtype) == "datetime64[ns]"
    assert sessions_between("XNYS", date(2001, 9, 11), date(2001, 9, 14)).empty
    assert sessions_between("XNYS", date(2001, 9, 18), date(2001, 9, 10)).empty


def test_bars_older_than_the_usual_calendar_have_sessions_too() -> None:
    assert next_session("XNYS", date(1962, 1, 1)) == date(1962, 1, 2)


def test_around_the_clock_markets_trade_on_saturdays() -> None:
    assert next_session("24/7", date(2024, 7, 5)) == date(2024, 7, 6)
    assert session_close("24/7", date(2024, 7, 6)) == datetime(2024, 7, 7, tzinfo=UTC)


@pytest.mark.parametrize(
    ("calendar", "session", "until"),
    [
        ("XNYS", date(2024, 7, 2), datetime(2024, 7, 2, 9, 30, tzinfo=NEW_YORK)),
        ("XNYS", date(2024, 7, 8), datetime(2024, 7, 8, 9, 30, tzinfo=NEW_YORK)),  # after a weekend
        ("24/7", date(2024, 7, 6), datetime(2024, 7, 6, 1, tzinfo=UTC)),  # a Saturday
        ("24/7", date(2024, 7, 8), datetime(2024, 7, 8, 1, tzinfo=UTC)),
        ("24/5", date(2024, 7, 8), datetime(2024, 7, 8, 0, tzinfo=UTC)),  # Monday: closed since Friday
        ("24/5", date(2024, 7, 9), datetime(2024, 7, 9, 1, tzinfo=UTC)),
        ("24/5", date(2024, 7, 12), datetime(2024, 7, 12, 1, tzinfo=UTC)),  # Friday
        ("XTKS", date(1997, 1, 6), datetime(1997, 1, 6, 0, tzinfo=UTC)),  # its first known session follows none
    ],
)
def test_a_forecast_is_live_until_the_open_or_an_hour_into_a_session_without_pause(
    calendar: str, session: date, until: datetime
) -> None:
    found = live_until(calendar, session)

    assert found == until
    assert found.tzinfo is UTC


@pytest.mark.parametrize("calendar", ["24/7", "24/5", "XNYS"])
def test_every_session_can_be_forecast_live_from_the_bar_before_it(calendar: str) -> None:
    """By the open alone, no forecast of a market that never closes could ever be live."""
    sessions = [stamp.date() for stamp in sessions_between(calendar, date(2024, 6, 27), date(2024, 7, 12))]

    for known, target in pairwise(sessions):
        bar_is_complete = pd.Timestamp(session_close(calendar, known)) + COMPLETE_AFTER
        assert live_until(calendar, target) >= bar_is_complete + pd.Timedelta(minutes=30)


def test_a_day_without_trading_is_never_live() -> None:
    with pytest.raises(NotASession, match="2024-07-06 is not a session of 24/5"):
        live_until("24/5", date(2024, 7, 6))


@pytest.mark.parametrize(
    ("now", "session"),
    [
        (datetime(2024, 7, 3, 16, 59, tzinfo=UTC), date(2024, 7, 2)),
        (datetime(2024, 7, 3, 17, 0, tzinfo=UTC), date(2024, 7, 3)),
        (datetime(2024, 7, 5, 13, 0, tzinfo=UTC), date(2024, 7, 3)),
    ],
)
def test_last_closed_session_counts_a_session_from_its_close_on(now: datetime, session: date) -> None:
    assert last_closed_session("XNYS", now) == session


def test_closing_times_of_many_sessions_equal_those_of_each() -> None:
    sessions = pd.Series(sessions_between("XNYS", date(2023, 11, 1), date(2024, 7, 31)))

    closes = closing_times("XNYS", sessions)

    assert list(closes) == [session_close("XNYS", stamp.date()) for stamp in sessions]
    assert str(closes.dtype) == "datetime64[ns, UTC]"


def test_a_day_without_trading_ends_at_midnight() -> None:
    closes = closing_times("XNYS", pd.Series(pd.to_datetime(["2024-07-03", "2024-07-04"])))

    assert closes.iloc[1] == pd.Timestamp("2024-07-05", tz=UTC)
    assert closing_times("XNYS", pd.Series([], dtype="datetime64[ns]")).empty


@pytest.mark.parametrize(
    ("lookback", "start"),
    [("5y", date(2019, 2, 28)), ("18mo", date(2022, 8, 29)), ("250d", date(2023, 6, 24)), ("1d", date(2024, 2, 28))],
)
def test_lookback_counts_years_months_and_days(lookback: str, start: date) -> None:
    assert lookback_start(date(2024, 2, 29), lookback) == start


@pytest.mark.parametrize("lookback", ["", "5", "y", "0y", "-1y", "5w", "5 y", "1.5y", "5Y", "99999y", "5y5y"])
def test_another_lookback_is_refused_with_the_value_and_an_example(lookback: str) -> None:
    with pytest.raises(InvalidLookback, match=f"the look-back is {lookback!r}; expected .* — write for example 5y"):
        lookback_start(date(2024, 2, 29), lookback)


def test_a_day_without_trading_has_no_opening() -> None:
    with pytest.raises(NotASession, match=r"2024-07-04 is not a session of XNYS.*use its next session, 2024-07-05"):
        session_open("XNYS", date(2024, 7, 4))


def test_an_unknown_calendar_is_named() -> None:
    with pytest.raises(UnknownCalendar, match="'XNYX' is not an exchange calendar"):
        next_session("XNYX", date(2024, 7, 4))


@pytest.mark.parametrize("day", [date(2041, 1, 1), date(1899, 1, 1)])
def test_a_date_outside_the_calendar_names_its_extent(day: date) -> None:
    with pytest.raises(OutsideCalendar, match=f"{day} is outside the calendar XNYS, which is known from"):
        sessions_between("XNYS", day, day)


def test_the_last_session_a_calendar_knows_has_none_after_it() -> None:
    with pytest.raises(OutsideCalendar, match="2040-12-31 is outside"):
        next_session("XNYS", date(2040, 12, 31))


def test_a_time_before_the_first_close_is_outside() -> None:
    with pytest.raises(OutsideCalendar, match="1997-01-02 is outside the calendar XTKS"):
        last_closed_session("XTKS", datetime(1997, 1, 2, tzinfo=UTC))
