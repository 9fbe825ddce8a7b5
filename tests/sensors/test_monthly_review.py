from collections.abc import Callable
from datetime import UTC, datetime

import dagster as dg
import pytest

from stock_assets.sensors.monthly_review import monthly_review
from tests.assets.conftest import Desk
from tests.sensors.conftest import BAD_TICKERS, LATE, Ask, begin_run, list_bad_tickers, readable, tickers_of
from tests.storage.frames import rows


def _asked(result: dg.SensorResult) -> dict[tuple[str, str | None], list[str]]:
    return {(readable(one), one.partition_key): tickers_of(one) for one in result.run_requests or []}


def test_each_trained_ticker_is_reviewed_once_a_month(ask: Ask, list_ticker: Callable[..., None], desk: Desk) -> None:
    list_ticker("AAPL", "2024-03-04")
    list_ticker("NEW", "2024-03-04", trained=False)
    assert _asked(ask(monthly_review)) == {("review:XNYS:2024-03", "XNYS"): ["AAPL"]}
    desk.lake.append("champion", rows("champion", 1, review="2024-03"))
    list_ticker("AAPL", "2024-03-05")
    assert isinstance(ask(monthly_review), dg.SkipReason)
    list_ticker("AAPL", "2024-04-01")
    april = datetime(2024, 4, 2, 14, tzinfo=UTC)
    assert _asked(ask(monthly_review, now=april)) == {("review:XNYS:2024-04", "XNYS"): ["AAPL"]}


def test_the_tickers_of_a_market_are_reviewed_together_but_for_those_at_work(
    ask: Ask, list_ticker: Callable[..., None], desk: Desk
) -> None:
    for ticker in ("MSFT", "AAPL", "BUSY"):
        list_ticker(ticker, "2024-03-04")
    list_ticker("7203.T", "2024-03-05", calendar="XTKS")
    begin_run(desk, "forecast", "BUSY")
    assert _asked(ask(monthly_review)) == {
        ("review:XNYS:2024-03", "XNYS"): ["AAPL", "MSFT"],
        ("review:XTKS:2024-03", "XTKS"): ["7203.T"],
    }


def test_bars_that_ended_long_ago_are_not_reviewed(ask: Ask, list_ticker: Callable[..., None]) -> None:
    list_ticker("AAPL", "2013-03-01")
    assert ask(monthly_review).skip_message == "every champion has been reviewed this month"


def test_one_tickers_facts_stop_no_review(
    ask: Ask, list_ticker: Callable[..., None], capfd: pytest.CaptureFixture[str]
) -> None:
    list_bad_tickers(list_ticker)
    list_ticker("AAPL", "2027-03-03")
    asked = _asked(ask(monthly_review, now=LATE))
    assert asked["review:XNYS:2027-03", "XNYS"] == ["AAPL"]
    assert f"NOWHERE is not updated: {BAD_TICKERS['NOWHERE']}" in capfd.readouterr().err
