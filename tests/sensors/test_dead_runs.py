import subprocess
import sys
from collections.abc import Callable

import dagster as dg
from dagster._core.events import EngineEventData

from stock_assets import health
from stock_assets.health import Failure
from stock_assets.instance import report_dead_runs
from stock_assets.runs import Options, again, plan
from stock_assets.sensors.dead_runs import dead_runs
from stock_assets.universe import chosen_tickers
from tests.assets.conftest import Desk
from tests.sensors.conftest import Ask, begin_run


def _started(desk: Desk, pid: int, *tickers: str) -> str:
    run = begin_run(desk, "train", *tickers)
    process = EngineEventData(metadata={"pid": dg.MetadataValue.text(str(pid))})
    desk.instance.report_engine_event("Started process for run.", run, process)
    return run.run_id


def _killed(desk: Desk, *tickers: str) -> str:
    with subprocess.Popen([sys.executable, "-c", ""]) as gone:
        gone.wait()
    return _started(desk, gone.pid, *tickers)


def test_a_run_whose_process_is_gone_is_failed_and_its_tickers_say_so(
    ask: Ask, list_ticker: Callable[..., None], desk: Desk
) -> None:
    for ticker in ("AAPL", "BAD", "MSFT", "OTHER"):
        list_ticker(ticker, "2024-03-04")
    killed = _killed(desk, "AAPL", "BAD", "MSFT", "REMOVED")
    health.failed(desk.lake, "BAD", Failure("splits", "too short", "fetch more"), killed)
    assert ask(dead_runs).skip_message == "1 runs were cut off since the last look"
    run = desk.instance.get_run_by_id(killed)
    assert run is not None
    assert run.status == dg.DagsterRunStatus.FAILURE
    rows = desk.lake.read("tickers").set_index("ticker")
    assert rows["status"].to_dict() == {"AAPL": "failed", "BAD": "failed", "MSFT": "failed", "OTHER": "ok"}
    assert rows.loc["BAD", "reason"] == "too short", "its own failure is not written over"
    for ticker in ("AAPL", "MSFT"):
        told = rows.loc[ticker, ["stage", "reason", "cure", "run_id"]].tolist()
        assert told == ["train", "its run was killed", "run it again; finished fits are kept", killed]
    assert ask(dead_runs).skip_message == "0 runs were cut off since the last look"


def test_a_run_that_is_alive_goes_on(ask: Ask, list_ticker: Callable[..., None], desk: Desk) -> None:
    list_ticker("AAPL", "2024-03-04")
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as alive:
        going_on = _started(desk, alive.pid, "AAPL")
        ask(dead_runs)
        run = desk.instance.get_run_by_id(going_on)
        assert run is not None
        assert run.status == dg.DagsterRunStatus.STARTED
        alive.communicate(b"\n")
    assert desk.statuses() == {"AAPL": "ok"}


def test_what_a_killed_run_without_a_selection_left_is_its_whole_job_for_all_its_tickers(
    list_ticker: Callable[..., None], desk: Desk
) -> None:
    """Sensors start runs so. A command that does less must not pass for having done their work."""
    for ticker in ("AAPL", "MSFT"):
        list_ticker(ticker, "2024-03-04")
    _killed(desk, "AAPL", "MSFT", "REMOVED")
    [cut_off] = report_dead_runs(desk.instance, desk.settings)
    left = again(cut_off)
    [whole], [less], [one] = (
        plan(job, tickers, Options(), desk.lake)
        for job, tickers in (("train", ["AAPL", "MSFT"]), ("fetch", ["AAPL", "MSFT"]), ("train", ["AAPL"]))
    )
    assert (left.assets, left.market, left.tickers) == (whole.assets, "XNYS", ("AAPL", "MSFT"))
    assert chosen_tickers(left.run_config) == ["AAPL", "MSFT"], "none that was removed meanwhile"
    assert whole.covers(left)
    assert not less.covers(left)
    assert not one.covers(left)


def test_a_killed_run_that_named_no_ticker_leaves_all_of_its_market(
    list_ticker: Callable[..., None], desk: Desk
) -> None:
    for ticker, calendar in (("AAPL", "XNYS"), ("MSFT", "XNYS"), ("7203.T", "XTKS")):
        list_ticker(ticker, "2024-03-04", calendar=calendar)
    _killed(desk)
    [cut_off] = report_dead_runs(desk.instance, desk.settings)
    assert cut_off.tickers == ("AAPL", "MSFT")
    assert desk.statuses() == {"AAPL": "failed", "MSFT": "failed", "7203.T": "ok"}
