from collections.abc import Callable
from datetime import timedelta

import pandas as pd
import pytest

from stock_assets.resources import Warehouse
from stock_assets.sensors.retraining import retraining
from storage.publisher import Publisher
from tests.assets.conftest import Desk
from tests.sensors.conftest import NOW, Ask, begin_run, readable, tell_made, tickers_of
from tests.storage.frames import rows

SESSIONS = pd.bdate_range(end="2024-03-04", periods=100)


def _train(warehouse: Warehouse, list_ticker: Callable[..., None], ticker: str) -> None:
    """A ticker with features, a champion and fits that know the newest session."""
    list_ticker(ticker, "2024-03-04")
    lake = warehouse.lake
    features = rows("features", 100, ticker=ticker, session=SESSIONS, target_session=SESSIONS)
    lake.write("features", features, ticker=ticker)
    lake.append("champion", rows("champion", 1, ticker=ticker))
    fits = rows("models", 1, ticker=ticker, kind="final", train_end=SESSIONS[-2:-1])
    lake.write("models", fits, ticker=ticker, model="random_walk")


@pytest.fixture
def trained(list_ticker: Callable[..., None], warehouse: Warehouse) -> Warehouse:
    """AAPL, trained."""
    _train(warehouse, list_ticker, "AAPL")
    return warehouse


def _check(desk: Desk, *tickers: str, drifted: bool) -> None:
    newest = SESSIONS[-10:]
    for ticker in tickers or ("AAPL",):
        checks = rows("drift", 10, ticker=ticker, feature="gap", drifted=drifted).assign(
            checked_at=newest.tz_localize("UTC") + pd.Timedelta(hours=22), current_end=newest
        )
        desk.lake.write("drift", checks, ticker=ticker)
    Publisher(desk.settings.home).publish()
    tell_made(desk, "drift", *(tickers or ("AAPL",)))


def test_drift_that_persists_requests_one_training_and_keeps_its_reason(
    ask: Ask, desk: Desk, trained: Warehouse
) -> None:
    start = ask(retraining).cursor
    _check(desk, drifted=True)
    result = ask(retraining, cursor=start)
    [request] = result.run_requests
    assert (readable(request), request.partition_key, tickers_of(request)) == ("retrain:XNYS", "XNYS", ["AAPL"])
    assert request.tags["stock_assets/cause"] == "drift"
    [decision] = desk.lake.read("retraining").to_dict(orient="records")
    assert (decision["action"], decision["cause"]) == ("retrain", "drift")
    [told] = desk.lake.read("announcements")["message"]
    assert told.startswith("AAPL is trained again. The inputs had drifted in 10 of the newest 10 sessions checked")
    _check(desk, drifted=True)
    later = NOW + timedelta(hours=1)
    assert ask(retraining, cursor=result.cursor, now=later).run_requests == []
    assert desk.lake.read("retraining")["action"].tolist() == ["retrain", "wait"]


def test_without_a_cause_the_models_are_kept_and_that_is_written_once(ask: Ask, desk: Desk, trained: Warehouse) -> None:
    start = ask(retraining).cursor
    for _ in range(2):
        _check(desk, drifted=False)
        result = ask(retraining, cursor=start)
        assert result.run_requests == []
    assert desk.lake.read("retraining")["action"].tolist() == ["keep"]


def test_a_check_whose_run_has_not_ended_is_looked_at_again(ask: Ask, desk: Desk, trained: Warehouse) -> None:
    start = ask(retraining).cursor
    run = begin_run(desk, "forecast", "AAPL")
    _check(desk, drifted=True)
    waiting = ask(retraining, cursor=start)
    assert waiting.run_requests == []
    assert ask(retraining, cursor=waiting.cursor).run_requests == []
    desk.instance.report_run_failed(run)
    decided = ask(retraining, cursor=waiting.cursor)
    assert len(decided.run_requests) == 1
    assert ask(retraining, cursor=decided.cursor).run_requests == []


def test_the_tickers_of_a_market_are_trained_together_and_those_at_work_afterwards(
    ask: Ask, desk: Desk, warehouse: Warehouse, list_ticker: Callable[..., None]
) -> None:
    for ticker in ("AAPL", "IBM", "MSFT", "REMOVED"):
        _train(warehouse, list_ticker, ticker)
    desk.lake.delete("tickers", ticker="REMOVED")
    start = ask(retraining).cursor
    run = begin_run(desk, "forecast", "MSFT")
    _check(desk, "AAPL", "IBM", "MSFT", "REMOVED", drifted=True)
    first = ask(retraining, cursor=start)
    [request] = first.run_requests
    assert tickers_of(request) == ["AAPL", "IBM"]
    desk.instance.report_run_failed(run)
    [request] = ask(retraining, cursor=first.cursor).run_requests
    assert tickers_of(request) == ["MSFT"], "the others are not decided on again"


def test_a_ticker_that_cannot_be_decided_on_stops_no_other(
    ask: Ask, desk: Desk, trained: Warehouse, list_ticker: Callable[..., None], capfd: pytest.CaptureFixture[str]
) -> None:
    list_ticker("BARE", "2024-03-04", trained=False)  # it has neither champion nor fits
    start = ask(retraining).cursor
    _check(desk, "BARE", "AAPL", drifted=True)
    [request] = ask(retraining, cursor=start).run_requests
    assert tickers_of(request) == ["AAPL"]
    assert "BARE is not decided on: it has no market, features, champion or fits" in capfd.readouterr().err


def test_a_cursor_of_an_older_version_is_understood(ask: Ask, desk: Desk, trained: Warehouse) -> None:
    _check(desk, drifted=True)
    assert len(ask(retraining, cursor="0").run_requests) == 1
