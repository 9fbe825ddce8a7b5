from collections.abc import Callable
from datetime import timedelta

import dagster as dg
import pandas as pd
import pytest

from stock_assets.resources import Warehouse
from stock_assets.sensors.retraining import retraining
from tests.assets.conftest import Desk
from tests.sensors.conftest import NOW, Ask
from tests.storage.frames import rows

SESSIONS = pd.bdate_range(end="2024-03-04", periods=100)


@pytest.fixture
def trained(list_ticker: Callable[..., None], warehouse: Warehouse) -> Warehouse:
    """AAPL with features, a champion and fits that know the newest session."""
    list_ticker("AAPL", "2024-03-04")
    lake = warehouse.lake
    lake.write("features", rows("features", 100, session=SESSIONS, target_session=SESSIONS), ticker="AAPL")
    lake.append("champion", rows("champion", 1))
    fits = rows("models", 1, kind="final", train_end=SESSIONS[-2:-1])
    lake.write("models", fits, ticker="AAPL", model="random_walk")
    return warehouse


def _check(desk: Desk, *, drifted: bool) -> None:
    newest = SESSIONS[-10:]
    checks = rows("drift", 10, feature="gap", drifted=drifted).assign(
        checked_at=newest.tz_localize("UTC") + pd.Timedelta(hours=22), current_end=newest
    )
    desk.lake.write("drift", checks, ticker="AAPL")
    desk.instance.report_runless_asset_event(dg.AssetMaterialization("drift", partition="AAPL"))


def test_drift_that_persists_requests_one_training_and_keeps_its_reason(
    ask: Ask, desk: Desk, trained: Warehouse
) -> None:
    start = ask(retraining).cursor
    _check(desk, drifted=True)
    result = ask(retraining, cursor=start)
    [request] = result.run_requests
    assert (request.run_key, request.partition_key) == ("retrain:AAPL:2024-03-04", "AAPL")
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
    run = desk.instance.create_run_for_job(
        dg.JobDefinition(name="forecast", graph_def=dg.GraphDefinition("forecast")),
        tags={"dagster/partition": "AAPL"},
        status=dg.DagsterRunStatus.STARTED,
    )
    _check(desk, drifted=True)
    waiting = ask(retraining, cursor=start)
    assert (waiting.run_requests, waiting.cursor) == ([], start)
    desk.instance.report_run_failed(run)
    assert len(ask(retraining, cursor=waiting.cursor).run_requests) == 1
