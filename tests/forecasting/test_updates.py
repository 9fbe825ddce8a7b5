import itertools
from datetime import UTC, date, datetime, timedelta

import pytest

from stock_assets.forecasting.updates import (
    SETTLING,
    WAITS,
    Attempt,
    Listed,
    Update,
    due_updates,
    stale_tickers,
)

FRIDAY, MONDAY = date(2024, 3, 1), date(2024, 3, 4)
MONDAYS_CLOSE = datetime(2024, 3, 4, 21, tzinfo=UTC)
EARLY_CLOSE = datetime(2024, 11, 29, 18, tzinfo=UTC)  # the day after Thanksgiving
AAPL = Listed("AAPL", "XNYS", FRIDAY)


def test_a_session_is_asked_for_once_it_has_closed_and_settled() -> None:
    just_before = MONDAYS_CLOSE + SETTLING - timedelta(seconds=1)
    assert due_updates([AAPL], {}, now=just_before) == ([], {})
    assert due_updates([AAPL], {}, now=MONDAYS_CLOSE + SETTLING) == ([Update("AAPL", "XNYS", MONDAY, 1)], {})


def test_an_early_close_is_known() -> None:
    listed = Listed("AAPL", "XNYS", date(2024, 11, 27))
    [update] = due_updates([listed], {}, now=EARLY_CLOSE + SETTLING)[0]
    assert update.session == date(2024, 11, 29)
    assert due_updates([listed], {}, now=EARLY_CLOSE + SETTLING - timedelta(seconds=1))[0] == []


@pytest.mark.parametrize("day", [date(2024, 3, 2), date(2024, 3, 3)])
def test_a_weekend_asks_for_nothing(day: date) -> None:
    assert due_updates([AAPL], {}, now=datetime(day.year, day.month, day.day, 22, tzinfo=UTC))[0] == []


def test_a_holiday_asks_for_nothing() -> None:
    listed = Listed("AAPL", "XNYS", date(2024, 7, 3))
    assert due_updates([listed], {}, now=datetime(2024, 7, 5, 2, tzinfo=UTC))[0] == []


def test_each_ticker_follows_its_own_exchange() -> None:
    tokyo = Listed("7203.T", "XTKS", FRIDAY)
    afternoon_in_europe = datetime(2024, 3, 4, 12, tzinfo=UTC)
    assert [update.ticker for update in due_updates([AAPL, tokyo], {}, now=afternoon_in_europe)[0]] == ["7203.T"]


def test_many_missed_sessions_need_one_update() -> None:
    off_for_weeks = Listed("AAPL", "XNYS", date(2024, 1, 31))
    [update] = due_updates([off_for_weeks], {}, now=MONDAYS_CLOSE + timedelta(hours=3))[0]
    assert (update.session, update.number) == (MONDAY, 1)


def test_a_bar_that_does_not_come_is_asked_for_again_with_growing_waits_and_then_left_to_the_next_session() -> None:
    now, asked = MONDAYS_CLOSE + SETTLING, []
    attempts: dict[str, Attempt] = {}
    while now < MONDAYS_CLOSE + timedelta(hours=23):
        for update in due_updates([AAPL], attempts, now=now)[0]:
            attempts["AAPL"] = Attempt(update.session, update.number, now)
            asked.append(now)
        now += timedelta(minutes=5)
    waits = [later - earlier for earlier, later in itertools.pairwise(asked)]
    assert waits == list(WAITS)
    assert sum(waits, timedelta()) < timedelta(hours=17.5) - SETTLING  # all before the next open


def test_the_next_session_is_a_new_first_attempt() -> None:
    gone = {"AAPL": Attempt(FRIDAY, len(WAITS) + 1, MONDAYS_CLOSE)}
    [update] = due_updates([AAPL], gone, now=MONDAYS_CLOSE + SETTLING)[0]
    assert (update.session, update.number) == (MONDAY, 1)


def _stale(*listed: Listed, now: datetime) -> tuple[list[Listed], dict[str, str]]:
    return stale_tickers(listed, now=now, patience=timedelta(hours=6))


def test_a_source_that_has_ended_is_asked_for_its_last_session_only() -> None:
    ended = Listed("AAPL", "XNYS", date(2013, 2, 27), ends=date(2013, 3, 1))
    [update] = due_updates([ended], {}, now=MONDAYS_CLOSE)[0]
    assert update.session == date(2013, 3, 1)
    complete = Listed("AAPL", "XNYS", date(2013, 3, 1), ends=date(2013, 3, 1))
    assert due_updates([complete], {}, now=MONDAYS_CLOSE) == ([], {})
    assert _stale(complete, now=MONDAYS_CLOSE) == ([], {})


def test_monday_morning_is_no_alarm_and_a_missed_monday_is() -> None:
    assert _stale(AAPL, now=datetime(2024, 3, 4, 13, tzinfo=UTC)) == ([], {})
    assert _stale(AAPL, now=MONDAYS_CLOSE + timedelta(hours=5)) == ([], {})
    assert _stale(AAPL, now=MONDAYS_CLOSE + timedelta(hours=7)) == ([AAPL], {})


def test_a_calendar_that_is_unknown_or_has_ended_is_named_and_stops_no_other_ticker() -> None:
    unknown, ended = Listed("ODD", "XXXX", FRIDAY), Listed("OLD", "XBOM", FRIDAY)
    later = datetime(2027, 3, 5, 22, tzinfo=UTC)
    due, of_due = due_updates([unknown, ended, AAPL], {}, now=later)
    stale, of_stale = _stale(unknown, ended, AAPL, now=later)
    assert [update.ticker for update in due] == [one.ticker for one in stale] == ["AAPL"]
    for problems in (of_due, of_stale):
        assert problems.keys() == {"ODD", "OLD"}
        assert "'XXXX' is not an exchange calendar" in problems["ODD"]
        assert "2027-03-05 is outside the calendar XBOM" in problems["OLD"]
