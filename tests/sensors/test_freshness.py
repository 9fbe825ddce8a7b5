from collections.abc import Callable
from datetime import UTC, datetime

import dagster as dg
import pytest

from stock_assets.clock import Clock
from stock_assets.resources import Warehouse
from stock_assets.sensors.freshness import fresh, freshness
from tests.assets.conftest import Desk
from tests.sensors.conftest import BAD_TICKERS, LATE, Ask, list_bad_tickers

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


def test_one_tickers_facts_stop_no_look_at_the_others(
    ask: Ask, list_ticker: Callable[..., None], warehouse: Warehouse, capfd: pytest.CaptureFixture[str]
) -> None:
    list_bad_tickers(list_ticker)
    list_ticker("AAPL", "2027-03-03")
    only_aapl = "AAPL has no bar after 2027-03-03, and a later session has closed"
    assert _evaluation(ask(freshness, now=LATE)).description == only_aapl
    said = capfd.readouterr().err
    for ticker, why in BAD_TICKERS.items():
        assert f"{ticker}: its freshness is unknown: " in said or f"{ticker} is not updated: " in said
        assert why in said
    by_hand = fresh(dg.build_asset_check_context(), warehouse=warehouse, clock=Clock(at=LATE.isoformat()))
    assert isinstance(by_hand, dg.AssetCheckResult)
    assert by_hand.description == only_aapl


def test_the_tickers_of_a_market_that_lack_a_session_are_announced_together(
    ask: Ask, list_ticker: Callable[..., None], desk: Desk
) -> None:
    for ticker in ("AAPL", "MSFT"):
        list_ticker(ticker, "2024-03-01")
    list_ticker("7203.T", "2024-03-01", calendar="XTKS")
    for _ in range(2):
        ask(freshness, now=TUESDAY_MORNING)
    told = desk.lake.read("announcements").sort_values("message")
    assert told["message"].tolist() == [
        "7203.T has no bar after 2024-03-01, and a later session has closed",
        "AAPL has no bar after 2024-03-01, MSFT has no bar after 2024-03-01, and a later session has closed",
    ]
    assert told["ticker"].tolist() == ["7203.T", None]
