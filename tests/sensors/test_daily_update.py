from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from stock_assets.resources import Warehouse
from stock_assets.sensors.daily_update import daily_update
from tests.assets.conftest import Desk
from tests.sensors.conftest import BAD_TICKERS, LATE, NOW, Ask, begin_run, list_bad_tickers, readable, tickers_of

LIST = Callable[..., None]


def _asked(result: dg.SensorResult) -> dict[str, list[str]]:
    """Readable key → tickers, of every request."""
    return {readable(request): tickers_of(request) for request in result.run_requests or []}


def test_a_missed_session_is_requested_once_with_calendar_and_session_as_its_key(ask: Ask, list_ticker: LIST) -> None:
    list_ticker("AAPL", "2024-03-01")
    first = ask(daily_update)
    assert _asked(first) == {"XNYS:2024-03-04": ["AAPL"]}
    assert first.run_requests[0].partition_key == "XNYS"
    assert first.run_requests[0].job_name == "forecast"
    assert first.run_requests[0].tags["stock_assets/session"] == "2024-03-04"
    again = ask(daily_update, cursor=first.cursor, now=NOW + timedelta(minutes=1))
    assert isinstance(again, dg.SkipReason)
    assert again.skip_message == "no session to fetch for 1 tickers at 2024-03-05 14:01 UTC"


def test_a_session_whose_bar_did_not_come_is_requested_again_later(ask: Ask, list_ticker: LIST) -> None:
    list_ticker("AAPL", "2024-03-01")
    first = ask(daily_update)
    later = ask(daily_update, cursor=first.cursor, now=NOW + timedelta(minutes=31))
    assert _asked(later) == {"XNYS:2024-03-04:2": ["AAPL"]}


def test_a_ticker_with_its_newest_bar_is_left_alone_and_its_bar_ends_the_asking(ask: Ask, list_ticker: LIST) -> None:
    list_ticker("AAPL", "2024-03-01")
    first = ask(daily_update)
    list_ticker("AAPL", "2024-03-04")
    assert isinstance(ask(daily_update, cursor=first.cursor, now=NOW + timedelta(hours=1)), dg.SkipReason)
    evening = datetime(2024, 3, 5, 22, tzinfo=UTC)
    assert _asked(ask(daily_update, cursor=first.cursor, now=evening)) == {"XNYS:2024-03-05": ["AAPL"]}


def test_a_ticker_without_models_gets_the_whole_lineage(ask: Ask, list_ticker: LIST) -> None:
    list_ticker("AAPL", "2024-03-01", trained=False)
    assert ask(daily_update).run_requests[0].job_name == "lineage"


def test_a_ticker_that_is_being_worked_on_is_not_asked_for_twice(ask: Ask, list_ticker: LIST, desk: Desk) -> None:
    list_ticker("AAPL", "2024-03-01")
    list_ticker("MSFT", "2024-03-01")
    begin_run(desk, "forecast", "AAPL")
    assert _asked(ask(daily_update)) == {"XNYS:2024-03-04": ["MSFT"]}


def test_a_backtest_that_takes_hours_keeps_no_ticker_from_its_forecast(ask: Ask, list_ticker: LIST, desk: Desk) -> None:
    list_ticker("AAPL", "2024-03-01")
    begin_run(desk, "backtest", "AAPL")
    assert _asked(ask(daily_update)) == {"XNYS:2024-03-04": ["AAPL"]}


def test_a_run_that_names_no_ticker_is_about_every_ticker_of_its_market(
    ask: Ask, list_ticker: LIST, desk: Desk
) -> None:
    list_ticker("AAPL", "2024-03-01")
    list_ticker("7203.T", "2024-03-01", calendar="XTKS")
    begin_run(desk, "lineage")
    assert [tickers_of(request) for request in ask(daily_update).run_requests] == [["7203.T"]]


def test_the_tickers_of_a_market_are_asked_for_together_and_each_market_for_itself(
    ask: Ask, list_ticker: LIST, desk: Desk
) -> None:
    for ticker in ("MSFT", "AAPL", "IBM"):
        list_ticker(ticker, "2024-03-01")
    list_ticker("7203.T", "2024-03-01", calendar="XTKS")
    list_ticker("NEW", "2024-03-01", trained=False)
    first = ask(daily_update)
    asked = {(request.job_name, request.partition_key): request for request in first.run_requests}
    assert {group: tickers_of(request) for group, request in asked.items()} == {
        ("forecast", "XNYS"): ["AAPL", "IBM", "MSFT"],
        ("lineage", "XNYS"): ["NEW"],
        ("forecast", "XTKS"): ["7203.T"],
    }
    assert len({request.run_key for request in first.run_requests}) == 3
    [partitions] = first.dynamic_partitions_requests
    assert partitions.partition_keys == ["XNYS", "XTKS"]
    # One that lacks its bar is asked for again without the others, and so with a key of its own.
    for ticker in ("MSFT", "IBM", "NEW"):
        list_ticker(ticker, "2024-03-04")
    list_ticker("7203.T", "2024-03-05", calendar="XTKS")
    later = ask(daily_update, cursor=first.cursor, now=NOW + timedelta(minutes=31))
    assert _asked(later) == {"XNYS:2024-03-04:2": ["AAPL"]}


def test_the_same_tick_asks_with_the_same_keys_and_other_tickers_make_another_key(ask: Ask, list_ticker: LIST) -> None:
    list_ticker("AAPL", "2024-03-01")
    [one] = ask(daily_update).run_requests
    [again] = ask(daily_update).run_requests
    list_ticker("MSFT", "2024-03-01")
    [both] = ask(daily_update).run_requests
    assert one.run_key == again.run_key != both.run_key
    assert readable(one) == readable(both)


def test_one_tickers_facts_stop_no_update(
    ask: Ask, list_ticker: LIST, warehouse: Warehouse, capfd: pytest.CaptureFixture[str]
) -> None:
    list_bad_tickers(list_ticker)
    list_ticker("AAPL", "2027-03-03")
    assert _asked(ask(daily_update, now=LATE)) == {"XNYS:2027-03-04": ["AAPL"]}
    said = capfd.readouterr().err
    for ticker, why in BAD_TICKERS.items():
        assert f"{ticker} is not updated: " in said
        assert why in said


def test_a_removed_ticker_leaves_the_schedule_and_the_cursor(ask: Ask, list_ticker: LIST, desk: Desk) -> None:
    list_ticker("AAPL", "2024-03-01")
    list_ticker("MSFT", "2024-03-01")
    first = ask(daily_update)
    desk.lake.delete("tickers", ticker="AAPL")
    list_ticker("MSFT", "2024-03-04")
    evening = datetime(2024, 3, 5, 22, tzinfo=UTC)
    later = ask(daily_update, cursor=first.cursor, now=evening)
    assert _asked(later) == {"XNYS:2024-03-05": ["MSFT"]}
    assert "AAPL" not in later.cursor


def test_an_empty_home_asks_for_nothing(ask: Ask) -> None:
    assert isinstance(ask(daily_update), dg.SkipReason)
