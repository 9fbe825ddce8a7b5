"""Real runs killed with SIGKILL: nothing half-written is ever seen, and the next command completes the work."""

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import dagster as dg
import psutil
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


def _environment(home: Path, workers: int) -> dict[str, str]:
    return os.environ | {"STOCK_ASSETS_HOME": str(home), "STOCK_ASSETS_WORKERS": str(workers)}


def _wait_until(seen: Callable[[], object], process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + 120
    while not seen():
        assert process.poll() is None, "the run ended before the moment came"
        assert time.monotonic() < deadline, "the moment did not come"
        time.sleep(0.01)


def _workers(run: subprocess.Popen[bytes]) -> list[psutil.Process]:
    found = []
    with suppress(psutil.NoSuchProcess):
        for child in psutil.Process(run.pid).children(recursive=True):
            with suppress(psutil.NoSuchProcess):
                found += [child] if "popen_loky_posix" in " ".join(child.cmdline()) else []
    return found


def _fits(home: Path) -> dict[Path, int]:
    """Every fit, and when it was written."""
    return {path: path.stat().st_mtime_ns for path in home.glob("models/ticker=*/*/*/manifest.json")}


def _require_complete(home: Path) -> None:
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


def kill_and_complete(folder: Path, seed: int, workers: int = 1) -> float:
    """Kill a run some time after its first step, run again, check everything; returns when it was killed (seconds)."""
    home = folder / "home"
    environment = _environment(home, workers)
    process = _start(environment)
    _wait_until(lambda: list(home.glob("lake/prices/ticker=*")), process)
    after = random.Random(seed).uniform(0.0, 4.0)  # noqa: S311 - a moment to kill at, not a secret
    time.sleep(after)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    kept = _fits(home)

    again = subprocess.run(COMMAND, env=environment, check=False, capture_output=True, text=True)
    assert again.returncode == 0, again.stderr
    assert kept.items() <= _fits(home).items(), "a fit was lost, or made again"
    _require_complete(home)
    return after


def kill_worker_and_finish(folder: Path, seed: int) -> float:
    """Kill one of a run's two workers some time after they have come; the run completes. Returns when (seconds)."""
    home = folder / "home"
    chance = random.Random(seed)  # noqa: S311 - as above
    process = _start(_environment(home, workers=2))
    _wait_until(lambda: _workers(process), process)
    after = chance.uniform(0.0, 3.0)  # they load their libraries, fit, and then wait for the end of the run
    time.sleep(after)
    chance.choice(_workers(process)).kill()
    assert process.wait(timeout=300) == 0
    _require_complete(home)
    return after


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "workers"), [(0, 1), (1, 2), (2, 1)])
def test_a_run_killed_at_any_moment_is_marked_and_completed_by_the_next_command(
    tmp_path: Path, seed: int, workers: int
) -> None:
    kill_and_complete(tmp_path, seed, workers)


@pytest.mark.slow
def test_a_run_whose_worker_is_killed_completes(tmp_path: Path) -> None:
    kill_worker_and_finish(tmp_path, seed=0)
