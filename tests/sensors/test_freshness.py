from collections.abc import Callable
from datetime import UTC, datetime

import dagster as dg

from stock_assets.resources import Warehouse
from stock_assets.sensors.freshness import freshness
from tests.assets.conftest import Desk
from tests.sensors.conftest import Ask

MONDAY_MORNING = datetime(2024, 3, 4, 14, tzinfo=UTC)
TUESDAY_MORNING = datetime(2024, 3, 5, 14, tzinfo=UTC)


def _evaluation(result: dg.SensorResult) -> dg.AssetCheckEvaluation:
    [evaluation] = result.asset_events
    assert isinstance(evaluation, dg.AssetCheckEvaluation)
    return evaluation


def test_monday_morning_is_no_alarm(ask: Ask, list_ticker: Callable[..., None], desk: Desk) -> None:
    list_ticker("AAPL", "2024-03-01")
    evaluation = _evaluation(ask(freshness, now=MONDAY_MORNING))
    assert evaluation.passed
    assert evaluation.description is None
    assert desk.lake.read("announcements").empty


def test_a_missing_session_fails_the_check_as_a_warning_and_is_announced_once(
    ask: Ask, list_ticker: Callable[..., None], desk: Desk
) -> None:
    list_ticker("AAPL", "2024-03-01")
    list_ticker("MSFT", "2024-03-04")
    evaluation = _evaluation(ask(freshness, now=TUESDAY_MORNING))
    assert not evaluation.passed
    assert evaluation.severity == dg.AssetCheckSeverity.WARN
    assert evaluation.description == "AAPL has no bar after 2024-03-01, and a later session has closed"
    ask(freshness, now=TUESDAY_MORNING)
    assert desk.lake.read("announcements")["ticker"].tolist() == ["AAPL"]


def test_a_csv_ticker_whose_folder_is_gone_is_said_and_does_not_stop_the_others(
    ask: Ask, list_ticker: Callable[..., None], warehouse: Warehouse
) -> None:
    list_ticker("AAPL", "2024-03-01")
    row = warehouse.lake.read("tickers", ticker="AAPL").assign(source="csv")
    warehouse.lake.write("tickers", row, ticker="AAPL")
    list_ticker("MSFT", "2024-03-01")
    evaluation = _evaluation(ask(freshness, now=TUESDAY_MORNING))
    assert evaluation.description == "MSFT has no bar after 2024-03-01, and a later session has closed"
