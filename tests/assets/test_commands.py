"""`run`, `fetch`, `train` and `forecast` as typed, in real processes or through the command line's own entry point."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from stock_assets.cli import run as command
from storage.lake import Lake
from tests.assets.conftest import hear_ctrl_c

PROGRAM = str(Path(sys.executable).with_name("stock-assets"))
SMALL = ["--source", "sample", "--fast", "--models", "xgboost"]


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("STOCK_ASSETS_HOME", str(folder))
    for name in ("STOCK_ASSETS_DAGSTER_DIR", "STOCK_ASSETS_SOURCE", "STOCK_ASSETS_LOOKBACK"):
        monkeypatch.delenv(name, raising=False)
    return folder


def _failure(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    assert command(arguments) == 1
    return capsys.readouterr().err


def test_a_wrong_flag_names_value_expectation_and_cure_and_touches_nothing(
    home: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "--source is 'google'; expected one of csv, sample, yahoo" in _failure(capsys, "run", "--source", "google")
    assert "--lookback: " in _failure(capsys, "run", "--lookback", "5yy")
    assert "--models names ',', which is no model" in _failure(capsys, "run", "--models", ",")
    assert "--models names 'prophet'" in _failure(capsys, "run", "--models", "sarima,prophet")
    assert "which is not a folder" in _failure(capsys, "run", "--csv-dir", str(home / "none"))
    assert "reads no folder" in _failure(capsys, "run", "--source", "sample", "--csv-dir", str(home))
    monkeypatch.setenv("STOCK_ASSETS_SOURCE", "nonsense")
    assert "STOCK_ASSETS_SOURCE is 'nonsense'" in _failure(capsys, "run", "-t", "AAPL")
    assert not (home / "dagster").exists(), "no run was started"


def test_commands_that_need_something_first_say_what(home: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert "holds no tickers and none was named" in _failure(capsys, "run")
    assert "AAPL: it has no bars" in _failure(capsys, "train", "-t", "AAPL")
    assert "AAPL: it was never trained" in _failure(capsys, "forecast", "-t", "AAPL")
    assert Lake(home / "lake").read("tickers").empty


def test_asking_for_another_source_leaves_a_healthy_ticker_healthy(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command(["fetch", "-t", "IBM", "--source", "sample"]) == 0
    assert "come from 'sample', not 'yahoo'; two sources never mix" in _failure(
        capsys, "fetch", "-t", "IBM", "--source", "yahoo"
    )
    assert Lake(home / "lake").read("tickers")["status"].tolist() == ["fetched"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("stop", "settings", "workers"),
    [(signal.SIGINT, SMALL, 1), (signal.SIGTERM, SMALL[:2], 1), (signal.SIGINT, SMALL[:2], 2)],
)
def test_an_interruption_ends_the_command_and_is_written_down(
    home: Path, monkeypatch: pytest.MonkeyPatch, stop: signal.Signals, settings: list[str], workers: int
) -> None:
    monkeypatch.setenv("STOCK_ASSETS_WORKERS", str(workers))
    process = subprocess.Popen(
        [PROGRAM, "run", "-t", "AAPL", "-t", "MSFT", *settings],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_ctrl_c,
    )
    deadline = time.monotonic() + 120
    while not list(home.glob("lake/splits/*AAPL*")):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    process.send_signal(stop)
    _, errors = process.communicate(timeout=120)

    assert process.returncode == 130, errors
    assert "interrupted: AAPL, MSFT unfinished" in errors
    assert "nanobind" not in errors, "what libraries have to say at the end is of no use to anybody"
    tickers = Lake(home / "lake").read("tickers").set_index("ticker")
    assert tickers["status"].to_dict() == {"AAPL": "failed", "MSFT": "failed"}
    assert set(tickers["reason"]) == {"it was interrupted"}
    assert set(tickers["cure"]) == {"run it again; finished fits are kept"}


@pytest.mark.slow
def test_a_killed_run_is_completed_with_its_own_settings_by_any_later_command(home: Path) -> None:
    process = subprocess.Popen(
        [PROGRAM, "run", "-t", "AAPL", *SMALL], stderr=subprocess.DEVNULL, start_new_session=True
    )
    deadline = time.monotonic() + 120
    while not list(home.glob("lake/prices/*AAPL*")):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()

    done = subprocess.run(
        [PROGRAM, "fetch", "-t", "IBM", "--source", "sample"], capture_output=True, text=True, check=False
    )

    assert done.returncode == 0, done.stderr
    assert "a run of AAPL was cut off" in done.stderr
    lake = Lake(home / "lake")
    assert lake.read("tickers").set_index("ticker")["status"].to_dict() == {"AAPL": "ok", "IBM": "fetched"}
    assert set(lake.read("forecasts")["model"]) == {"random_walk", "xgboost"}
