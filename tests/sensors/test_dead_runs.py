import subprocess
import sys
from collections.abc import Callable

import dagster as dg
from dagster._core.events import EngineEventData

from stock_assets.partitions import PARTITION_TAG
from stock_assets.runs import Options, plan, report_dead_runs
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


def _killed(desk: Desk) -> str:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    return _started(desk, gone.pid)


def test_a_run_whose_process_is_gone_is_failed_and_its_ticker_says_so(
    ask: Ask, list_ticker: Callable[..., None], desk: Desk
) -> None:
    list_ticker("AAPL", "2024-03-04")
    killed = _killed(desk)
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


def test_what_a_killed_run_without_a_selection_left_is_its_whole_job(
    list_ticker: Callable[..., None], desk: Desk
) -> None:
    """Sensors start runs so. A command that does less must not pass for having done their work."""
    list_ticker("AAPL", "2024-03-04")
    _killed(desk)
    [left] = report_dead_runs(desk.instance, desk.settings)
    [whole], [less] = plan("train", ["AAPL"], Options()), plan("fetch", ["AAPL"], Options())
    assert left.assets == whole.assets
    assert not less.covers(left)
