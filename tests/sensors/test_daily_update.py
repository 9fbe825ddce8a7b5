from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import dagster as dg

from stock_assets.partitions import PARTITION_TAG, sync_partitions
from stock_assets.sensors.daily_update import daily_update
from tests.assets.conftest import Desk
from tests.sensors.conftest import NOW, Ask

LIST = Callable[..., None]


def _keys(result: dg.SensorResult) -> list[str | None]:
    return [request.run_key for request in result.run_requests or []]


def test_a_missed_session_is_requested_once_with_calendar_and_session_as_its_key(ask: Ask, list_ticker: LIST) -> None:
    list_ticker("AAPL", "2024-03-01")
    first = ask(daily_update)
    assert _keys(first) == ["XNYS:2024-03-04:AAPL"]
    assert first.run_requests[0].partition_key == "AAPL"
    assert first.run_requests[0].job_name == "forecast"
    assert first.run_requests[0].tags["stock_assets/session"] == "2024-03-04"
    again = ask(daily_update, cursor=first.cursor, now=NOW + timedelta(minutes=1))
    assert isinstance(again, dg.SkipReason)
    assert again.skip_message == "no session to fetch for 1 tickers at 2024-03-05 14:01 UTC"


def test_a_session_whose_bar_did_not_come_is_requested_again_later(ask: Ask, list_ticker: LIST) -> None:
    list_ticker("AAPL", "2024-03-01")
    first = ask(daily_update)
    later = ask(daily_update, cursor=first.cursor, now=NOW + timedelta(minutes=31))
    assert _keys(later) == ["XNYS:2024-03-04:AAPL:2"]


def test_a_ticker_with_its_newest_bar_is_left_alone_and_its_bar_ends_the_asking(ask: Ask, list_ticker: LIST) -> None:
    list_ticker("AAPL", "2024-03-01")
    first = ask(daily_update)
    list_ticker("AAPL", "2024-03-04")
    assert isinstance(ask(daily_update, cursor=first.cursor, now=NOW + timedelta(hours=1)), dg.SkipReason)
    evening = datetime(2024, 3, 5, 22, tzinfo=UTC)
    assert _keys(ask(daily_update, cursor=first.cursor, now=evening)) == ["XNYS:2024-03-05:AAPL"]


def test_a_ticker_without_models_gets_the_whole_lineage(ask: Ask, list_ticker: LIST) -> None:
    list_ticker("AAPL", "2024-03-01", trained=False)
    assert ask(daily_update).run_requests[0].job_name == "lineage"


def test_a_ticker_that_is_being_worked_on_is_not_asked_for_twice(ask: Ask, list_ticker: LIST, desk: Desk) -> None:
    list_ticker("AAPL", "2024-03-01")
    list_ticker("MSFT", "2024-03-01")
    sync_partitions(desk.instance, ["AAPL"])
    desk.instance.create_run_for_job(
        dg.JobDefinition(name="forecast", graph_def=dg.GraphDefinition("forecast")),
        tags={PARTITION_TAG: "AAPL"},
        status=dg.DagsterRunStatus.STARTED,
    )
    assert _keys(ask(daily_update)) == ["XNYS:2024-03-04:MSFT"]


def test_a_removed_ticker_leaves_the_schedule_and_the_cursor(ask: Ask, list_ticker: LIST, desk: Desk) -> None:
    list_ticker("AAPL", "2024-03-01")
    list_ticker("MSFT", "2024-03-01")
    first = ask(daily_update)
    desk.lake.delete("tickers", ticker="AAPL")
    list_ticker("MSFT", "2024-03-04")
    evening = datetime(2024, 3, 5, 22, tzinfo=UTC)
    later = ask(daily_update, cursor=first.cursor, now=evening)
    assert _keys(later) == ["XNYS:2024-03-05:MSFT"]
    assert "AAPL" not in later.cursor


def test_an_empty_home_asks_for_nothing(ask: Ask) -> None:
    assert isinstance(ask(daily_update), dg.SkipReason)
