import itertools
from datetime import UTC, date, datetime, timedelta

import pytest

from stock_assets.forecasting.errors import UnknownCalendar
from stock_assets.forecasting.updates import SETTLING, WAITS, Attempt, Listed, Update, due_updates, is_stale

FRIDAY, MONDAY = date(2024, 3, 1), date(2024, 3, 4)
MONDAYS_CLOSE = datetime(2024, 3, 4, 21, tzinfo=UTC)
EARLY_CLOSE = datetime(2024, 11, 29, 18, tzinfo=UTC)  # the day after Thanksgiving
AAPL = Listed("AAPL", "XNYS", FRIDAY)


def test_a_session_is_asked_for_once_it_has_closed_and_settled() -> None:
    just_before = MONDAYS_CLOSE + SETTLING - timedelta(seconds=1)
    assert due_updates([AAPL], {}, now=just_before) == []
    assert due_updates([AAPL], {}, now=MONDAYS_CLOSE + SETTLING) == [Update("AAPL", "XNYS", MONDAY, 1)]


def test_an_early_close_is_known() -> None:
    listed = Listed("AAPL", "XNYS", date(2024, 11, 27))
    [update] = due_updates([listed], {}, now=EARLY_CLOSE + SETTLING)
    assert update.session == date(2024, 11, 29)
    assert due_updates([listed], {}, now=EARLY_CLOSE + SETTLING - timedelta(seconds=1)) == []


@pytest.mark.parametrize("day", [date(2024, 3, 2), date(2024, 3, 3)])
def test_a_weekend_asks_for_nothing(day: date) -> None:
    assert due_updates([AAPL], {}, now=datetime(day.year, day.month, day.day, 22, tzinfo=UTC)) == []


def test_a_holiday_asks_for_nothing() -> None:
    listed = Listed("AAPL", "XNYS", date(2024, 7, 3))
    assert due_updates([listed], {}, now=datetime(2024, 7, 5, 2, tzinfo=UTC)) == []


def test_each_ticker_follows_its_own_exchange() -> None:
    tokyo = Listed("7203.T", "XTKS", FRIDAY)
    afternoon_in_europe = datetime(2024, 3, 4, 12, tzinfo=UTC)
    assert [update.ticker for update in due_updates([AAPL, tokyo], {}, now=afternoon_in_europe)] == ["7203.T"]


def test_many_missed_sessions_need_one_update() -> None:
    off_for_weeks = Listed("AAPL", "XNYS", date(2024, 1, 31))
    [update] = due_updates([off_for_weeks], {}, now=MONDAYS_CLOSE + timedelta(hours=3))
    assert (update.session, update.number) == (MONDAY, 1)


def test_a_bar_that_does_not_come_is_asked_for_again_with_growing_waits_and_then_left_to_the_next_session() -> None:
    now, asked = MONDAYS_CLOSE + SETTLING, []
    attempts: dict[str, Attempt] = {}
    while now < MONDAYS_CLOSE + timedelta(hours=23):
        for update in due_updates([AAPL], attempts, now=now):
            attempts["AAPL"] = Attempt(update.session, update.number, now)
            asked.append(now)
        now += timedelta(minutes=5)
    waits = [later - earlier for earlier, later in itertools.pairwise(asked)]
    assert waits == list(WAITS)
    assert sum(waits, timedelta()) < timedelta(hours=17.5) - SETTLING  # all before the next open


def test_the_next_session_is_a_new_first_attempt() -> None:
    gone = {"AAPL": Attempt(FRIDAY, len(WAITS) + 1, MONDAYS_CLOSE)}
    [update] = due_updates([AAPL], gone, now=MONDAYS_CLOSE + SETTLING)
    assert update.run_key == "XNYS:2024-03-04:AAPL"


def test_run_keys_of_later_attempts_differ() -> None:
    keys = {Update("AAPL", "XNYS", MONDAY, number).run_key for number in (1, 2, 3)}
    assert keys == {"XNYS:2024-03-04:AAPL", "XNYS:2024-03-04:AAPL:2", "XNYS:2024-03-04:AAPL:3"}


def test_a_source_that_has_ended_is_asked_for_its_last_session_only() -> None:
    ended = Listed("AAPL", "XNYS", date(2013, 2, 27), ends=date(2013, 3, 1))
    [update] = due_updates([ended], {}, now=MONDAYS_CLOSE)
    assert update.session == date(2013, 3, 1)
    complete = Listed("AAPL", "XNYS", date(2013, 3, 1), ends=date(2013, 3, 1))
    assert due_updates([complete], {}, now=MONDAYS_CLOSE) == []
    assert not is_stale(complete, now=MONDAYS_CLOSE, patience=timedelta(hours=6))


def test_monday_morning_is_no_alarm_and_a_missed_monday_is() -> None:
    patience = timedelta(hours=6)
    assert not is_stale(AAPL, now=datetime(2024, 3, 4, 13, tzinfo=UTC), patience=patience)
    assert not is_stale(AAPL, now=MONDAYS_CLOSE + timedelta(hours=5), patience=patience)
    assert is_stale(AAPL, now=MONDAYS_CLOSE + timedelta(hours=7), patience=patience)


def test_an_unknown_calendar_is_named() -> None:
    with pytest.raises(UnknownCalendar, match="'XXXX' is not an exchange calendar"):
        due_updates([Listed("AAPL", "XXXX", FRIDAY)], {}, now=MONDAYS_CLOSE)
