"""A desk restored on another path works on as if it had always been there: real commands, the first home gone."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

import storage
from storage.lake import Lake
from tests.assets.conftest import Writer

pytestmark = pytest.mark.slow

PROGRAM = str(Path(sys.executable).with_name("stock-assets"))
MODELS = ("random_walk", "xgboost")


def say(home: Path, *arguments: str) -> str:
    """What a command prints that has to succeed."""
    # Tracked in the home's own store, which has to move with the home.
    environment = os.environ | {"STOCK_ASSETS_HOME": str(home), "STOCK_ASSETS_MLFLOW_URI": ""}
    done = subprocess.run([PROGRAM, *arguments], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_a_restored_desk_forecasts_the_next_session_and_traces_old_and_new_forecasts(
    tmp_path: Path, csv_dir: Path, write_csv: Writer
) -> None:
    file = write_csv("IBM")
    lines = file.read_text().splitlines()
    file.write_text("\n".join(lines[:-1]))
    first, second, archive = tmp_path / "first", tmp_path / "elsewhere" / "second", tmp_path / "desk.tar.gz"
    bars = ("--csv-dir", str(csv_dir), "--models", ",".join(MODELS))
    say(first, "run", "--ticker", "IBM", *bars, "--fast")
    say(first, "backup", str(archive))
    first.rename(tmp_path / "out of reach")
    say(second, "restore", str(archive))
    models, before = Lake(second / "lake").read("models"), Lake(second / "lake").read("forecasts")

    file.write_text("\n".join(lines))
    say(second, "forecast", *bars)

    pd.testing.assert_frame_equal(Lake(second / "lake").read("models"), models)
    forecasts = storage.table("forecasts", home=second)
    new = forecasts[~forecasts["forecast_id"].isin(before["forecast_id"])]
    assert sorted(new["model"]) == sorted(before["model"]) == sorted(MODELS)
    assert set(new["as_of_session"]) == {pd.Timestamp(lines[-1].split(",")[0])}
    assert set(storage.table("tickers", home=second)["status"]) == {"ok"}
    for forecast_id in forecasts.loc[forecasts["model"] == "xgboost", "forecast_id"]:
        found = json.loads(say(second, "trace", forecast_id, "--format", "json"))
        assert found["reproduction"]["is_same"]
        assert found["mlflow"]["run_id"] is not None
    assert not first.exists(), "nothing was looked for, or written, where the desk once was"
