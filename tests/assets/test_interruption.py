"""Real runs killed with SIGKILL: nothing half-written is ever seen, and the next command completes the work."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pytest

from stock_assets.instance import open_instance
from stock_assets.settings import Settings
from storage.contracts import conform
from storage.lake import Lake
from storage.tables import TABLES

PROGRAM = str(Path(sys.executable).with_name("stock-assets"))
TICKERS = ("AAPL", "IBM")
COMMAND = [PROGRAM, *["run", "-t", "AAPL", "-t", "IBM", "--source", "sample", "--fast", "--models", "xgboost"]]


def _start(environment: dict[str, str]) -> subprocess.Popen[bytes]:
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    return subprocess.Popen(COMMAND, env=environment, start_new_session=True, **quiet)  # type: ignore[call-overload,no-any-return]


def _wait_for_first_step(home: Path, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while not list(home.glob("lake/prices/ticker=*")):
        assert process.poll() is None, "the run ended before its first step was seen"
        assert time.monotonic() < deadline, "the run did not come to its first step"
        time.sleep(0.01)


def kill_and_complete(folder: Path, seed: int, workers: int = 1) -> float:
    """Kill a run some time after its first step, run again, check everything; returns when it was killed (seconds)."""
    home = folder / "home"
    environment = os.environ | {"STOCK_ASSETS_HOME": str(home), "STOCK_ASSETS_WORKERS": str(workers)}
    process = _start(environment)
    _wait_for_first_step(home, process)
    after = random.Random(seed).uniform(0.0, 4.0)  # noqa: S311 - a moment to kill at, not a secret
    time.sleep(after)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()

    again = subprocess.run(COMMAND, env=environment, check=False, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr

    lake = Lake(home / "lake")
    for name, table in TABLES.items():
        conform(table, lake.read(name))
    forecasts = lake.read("forecasts")
    said = sorted(zip(forecasts["ticker"], forecasts["model"], strict=True))
    assert said == [(ticker, model) for ticker in TICKERS for model in ("random_walk", "xgboost")]
    assert set(lake.read("tickers")["status"]) == {"ok"}
    assert not [path for path in home.rglob("*") if ".writing" in path.name or path.name.endswith(".tmp")]
    with open_instance(Settings(home=home)) as instance:
        unfinished = dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.STARTING])
        assert instance.get_runs(unfinished) == []
        assert instance.get_runs()[0].status is dg.DagsterRunStatus.SUCCESS
    return after


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "workers"), [(0, 1), (1, 2), (2, 1)])
def test_a_run_killed_at_any_moment_is_marked_and_completed_by_the_next_command(
    tmp_path: Path, seed: int, workers: int
) -> None:
    kill_and_complete(tmp_path, seed, workers)
