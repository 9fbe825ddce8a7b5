import subprocess
import sys
from collections.abc import Callable

import dagster as dg
from dagster._core.events import EngineEventData

from stock_assets.partitions import PARTITION_TAG
from stock_assets.sensors.dead_runs import dead_runs
from tests.assets.conftest import Desk
from tests.sensors.conftest import Ask


def _started(desk: Desk, pid: int) -> str:
    run = desk.instance.create_run_for_job(
        dg.JobDefinition(name="train", graph_def=dg.GraphDefinition("train")),
        tags={PARTITION_TAG: "AAPL"},
        status=dg.DagsterRunStatus.STARTED,
    )
    process = EngineEventData(metadata={"pid": dg.MetadataValue.text(str(pid))})
    desk.instance.report_engine_event("Started process for run.", run, process)
    return run.run_id


def test_a_run_whose_process_is_gone_is_failed_and_its_ticker_says_so(
    ask: Ask, list_ticker: Callable[..., None], desk: Desk
) -> None:
    list_ticker("AAPL", "2024-03-04")
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    killed = _started(desk, gone.pid)
    assert ask(dead_runs).skip_message == "1 runs were cut off since the last look"
    assert desk.instance.get_run_by_id(killed).status == dg.DagsterRunStatus.FAILURE
    row = desk.lake.read("tickers", ticker="AAPL").iloc[0]
    assert row["status"] == "failed"
    assert row["reason"].startswith("train: its run was killed")
    assert ask(dead_runs).skip_message == "0 runs were cut off since the last look"


def test_a_run_that_is_alive_goes_on(ask: Ask, list_ticker: Callable[..., None], desk: Desk) -> None:
    list_ticker("AAPL", "2024-03-04")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as alive:
        going_on = _started(desk, alive.pid)
        ask(dead_runs)
        assert desk.instance.get_run_by_id(going_on).status == dg.DagsterRunStatus.STARTED
        alive.communicate(b"\n")
