"""The faults that dagster-mlflow's resource has by itself, shown absent with real processes, and a kill put right."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from stock_assets.instance import open_instance
from stock_assets.settings import Settings
from stock_assets.tracking.parents import PARENT_TAG, repair
from stock_assets.tracking.store import TrackingStore
from tests.dagster_runs import add_run

PROGRAM = str(Path(sys.executable).with_name("stock-assets"))
RACER = """
import os, sys
from pathlib import Path
import dagster_mlflow
from stock_assets.instance import open_instance
from stock_assets.settings import Settings
from stock_assets.tracking.parents import PARENT_TAG, parent_of
from stock_assets.tracking.store import TrackingStore
settings = Settings(home=Path(sys.argv[1]))
store = TrackingStore.of(settings)
with open_instance(settings) as instance:
    run = instance.get_run_by_id(sys.argv[2])
    print("ready", flush=True)
    sys.stdin.readline()
    parent = parent_of(store, instance, run)
    child = store.client.create_run(store.experiment_id, tags={PARENT_TAG: parent, "kind": "fit"})
    store.client.log_param(child.info.run_id, "process", os.getpid())
    store.client.set_terminated(child.info.run_id)
"""


def _environment(home: Path) -> dict[str, str]:
    return os.environ | {"STOCK_ASSETS_HOME": str(home), "STOCK_ASSETS_MLFLOW_URI": ""}


def _race(home: Path, dagster_run: str, racers: int) -> None:
    pipes: dict[str, Any] = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    command = [sys.executable, "-c", RACER, str(home), dagster_run]
    processes = [subprocess.Popen(command, env=_environment(home), **pipes) for _ in range(racers)]
    for process in processes:
        assert process.stdout.readline() == "ready\n"
    for process in processes:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        process.communicate(timeout=120)
        assert process.returncode == 0


def _all_runs(store: TrackingStore) -> list[Any]:
    return list(store.client.search_runs([store.experiment_id]))


@pytest.mark.slow
def test_processes_that_start_at_once_share_one_parent_which_no_exit_ends_and_a_failure_ends_failed(
    tmp_path: Path,
) -> None:
    settings = Settings(home=tmp_path / "home")
    store = TrackingStore.of(settings)
    with pytest.MonkeyPatch.context() as environment, open_instance(settings) as instance:
        environment.setenv("STOCK_ASSETS_HOME", str(settings.home))
        started = add_run(instance, "train", [])
        _race(settings.home, started.run_id, racers=3)

        parents = [run for run in _all_runs(store) if PARENT_TAG not in run.data.tags]
        children = [run for run in _all_runs(store) if PARENT_TAG in run.data.tags]
        assert [run.info.status for run in parents] == ["RUNNING"], "one parent, whom no exit of a process has ended"
        assert {run.data.tags[PARENT_TAG] for run in children} == {parents[0].info.run_id}
        assert len({run.data.params["process"] for run in children}) == 3, "each has parameters of its own"
        assert repair(instance, store) == [], "a run that is going on is left alone"

        instance.report_run_failed(started)
        assert repair(instance, store) == [started.run_id]
        assert store.client.get_run(parents[0].info.run_id).info.status == "FAILED"
        _race(settings.home, started.run_id, racers=1)
        repair(instance, store)
        assert store.client.get_run(parents[0].info.run_id).info.status == "FAILED", "a late process changes nothing"


def _run(home: Path, *arguments: str) -> None:
    command = [PROGRAM, "run", "--source", "sample", "--models", "xgboost", *arguments]
    done = subprocess.run(command, env=_environment(home), capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def _kill_in_mid_training(home: Path, store: TrackingStore) -> None:
    command = [PROGRAM, "run", "--source", "sample", "--models", "xgboost", "--ticker", "AAPL"]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    process = subprocess.Popen(command, env=_environment(home), start_new_session=True, **quiet)
    deadline = time.monotonic() + 180
    while not (store.folder / "open").exists() or not _training(store):
        assert process.poll() is None, "the run ended before it was seen to train"
        assert time.monotonic() < deadline, "the run did not come to its training"
        time.sleep(0.05)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()


def _training(store: TrackingStore) -> bool:
    return any(run.data.tags.get("model") == "xgboost" for run in _all_runs(store))


@pytest.fixture(scope="module")
def killed_and_completed(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """A home in which AAPL was killed in mid-training, and the next command ran AAPL and IBM, in one run."""
    settings = Settings(home=tmp_path_factory.mktemp("killed") / "home")
    store = TrackingStore.of(settings)
    _kill_in_mid_training(settings.home, store)
    before = {run.info.run_id: run.info.status for run in _all_runs(store)}
    assert "RUNNING" in before.values(), "nobody could say yet that they were killed"
    _run(settings.home, "--ticker", "AAPL", "--ticker", "IBM")
    return settings


@pytest.mark.slow
def test_a_kill_in_mid_training_is_put_right_by_the_next_command(killed_and_completed: Settings) -> None:
    store = TrackingStore.of(killed_and_completed)
    runs = _all_runs(store)
    parents = {run.info.run_id: run for run in runs if run.data.tags["kind"] == "parent"}
    children = [run for run in runs if run.data.tags["kind"] == "fit"]
    assert Counter((run.data.tags["tickers"], run.info.status) for run in parents.values()) == {
        ("AAPL", "FAILED"): 1,
        ("AAPL, IBM", "FINISHED"): 1,
    }
    assert all(run.data.tags[PARENT_TAG] in parents for run in children), "none is orphaned"
    finished = [run for run in children if run.info.status == "FINISHED"]
    assert Counter((run.data.tags["ticker"], run.data.tags["model"]) for run in finished) == {
        (ticker, model): 1 for ticker in ("AAPL", "IBM") for model in ("random_walk", "xgboost")
    }
    cut_off = [run for run in children if run.info.status != "FINISHED"]
    assert {run.info.status for run in cut_off} == {"FAILED"}
    assert {parents[run.data.tags[PARENT_TAG]].info.status for run in cut_off} == {"FAILED"}
    assert not list((store.folder / "open").iterdir())


@pytest.mark.slow
def test_the_documented_mlflow_ui_shows_these_runs(killed_and_completed: Settings) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [str(Path(PROGRAM).with_name("mlflow")), "ui", "--backend-store-uri", killed_and_completed.mlflow_uri]
    command += ["--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    quiet: dict[str, Any] = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    environment = _environment(killed_and_completed.home) | {
        "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        "MLFLOW_DISABLE_TELEMETRY": "true",
    }
    server = subprocess.Popen(command, env=environment, start_new_session=True, **quiet)
    try:
        store = TrackingStore.of(killed_and_completed)
        expected = {run.info.run_id for run in _all_runs(store)}
        address = f"http://127.0.0.1:{port}"
        _wait_for(f"{address}/health", server)
        asked = {"experiment_ids": [store.experiment_id], "max_results": 100}
        answer = _ask(f"{address}/api/2.0/mlflow/runs/search", asked)
        assert {run["info"]["run_id"] for run in answer["runs"]} == expected
        with urllib.request.urlopen(address, timeout=60) as page:
            assert b"MLflow" in page.read()
    finally:
        os.killpg(server.pid, signal.SIGTERM)
        server.wait(timeout=60)


def _ask(address: str, content: dict[str, Any]) -> dict[str, Any]:
    headers = {"Content-Type": "application/json"}
    request = urllib.request.Request(address, json.dumps(content).encode(), headers)  # noqa: S310 - this test's server
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - the same
        found: dict[str, Any] = json.load(answer)
    return found


def _wait_for(address: str, server: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + 180
    while True:
        try:
            with urllib.request.urlopen(address, timeout=5):  # noqa: S310 - this test's own server
                return
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            assert server.poll() is None, "the server ended"
            assert time.monotonic() < deadline, "the server did not answer"
            time.sleep(0.2)
