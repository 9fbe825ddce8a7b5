"""The walk-forward backtest through real Dagster runs and the command line."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

import storage
from stock_assets import health
from stock_assets.cli import run as command
from stock_assets.definitions import defs
from stock_assets.forecasting.ensembles import model_names
from stock_assets.forecasting.models import discover
from stock_assets.health import Failure
from stock_assets.resources import BacktestSettings
from storage.lake import Lake
from tests.assets.conftest import SMALL, Desk, open_copy, open_desk

PROGRAM = str(Path(sys.executable).with_name("stock-assets"))


@pytest.fixture(scope="module")
def walked_desk(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A home in which AAPL has been run and backtested once. Shared: a test may rerun it, never change it."""
    with open_copy(finished, tmp_path_factory.mktemp("walked")) as desk:
        assert desk.run("AAPL", job="backtest").reason is None
        yield desk


@pytest.fixture(scope="module")
def plain_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A home in which the random walk has been run for AAPL. A test may backtest it anew, and leaves it well."""
    with open_desk(tmp_path_factory.mktemp("plain")) as desk:
        assert desk.run("AAPL", models=("random_walk",)).reason is None
        yield desk


def _fits(desk: Desk) -> set[Path]:
    return set(desk.settings.models_dir.glob("ticker=AAPL/*/*/manifest.json"))


def test_every_model_predicts_the_same_sessions_and_the_folds_are_written_down(walked_desk: Desk) -> None:
    predictions = walked_desk.lake.read("predictions", ticker="AAPL")
    folds = walked_desk.lake.read("backtest_folds", ticker="AAPL")
    labelled = walked_desk.lake.read("features", ticker="AAPL")["target_log_return"].notna().sum()
    walked = predictions[predictions["scheme"] == "walk_forward"]
    assert set(walked["model"]) == set(folds["model"]) == set(SMALL)
    by_model = [rows[["fold", "session", "actual"]].reset_index(drop=True) for _, rows in walked.groupby("model")]
    pd.testing.assert_frame_equal(by_model[0], by_model[1])
    assert len(by_model[0]) == labelled - 378 - 1
    assert len(by_model[0]) >= 750
    assert folds.groupby("model")["n_test"].sum().tolist() == [len(by_model[0])] * 2
    assert {"holdout", "live"} <= set(predictions["scheme"]), "the other schemes keep their rows"


def test_the_backtest_is_scored_and_the_champion_reviewed_on_it(walked_desk: Desk) -> None:
    scores = storage.table("evaluation", home=walked_desk.settings.home, ticker="AAPL")
    walked = scores[scores["scheme"] == "walk_forward"]
    assert set(walked["model"]) == set(SMALL)
    assert walked["role"].unique().tolist() == ["test"]
    reason = walked_desk.lake.read("champion", ticker="AAPL").sort_values("decided_at")["reason"].iloc[-1]
    assert "walk-forward rows" in reason


def test_a_second_backtest_fits_nothing_and_changes_nothing(walked_desk: Desk) -> None:
    fits = _fits(walked_desk)
    tables = ("predictions", "backtest_folds", "tuning_trials")
    before = {name: walked_desk.lake.read(name) for name in tables}
    assert walked_desk.run("AAPL", job="backtest").reason is None
    assert _fits(walked_desk) == fits
    for name in tables:
        pd.testing.assert_frame_equal(walked_desk.lake.read(name), before[name])


def test_a_daily_forecast_keeps_the_rows_of_the_backtest(walked_desk: Desk) -> None:
    before = walked_desk.lake.read("predictions", ticker="AAPL", scheme="walk_forward")
    assert walked_desk.run("AAPL", job="forecast").reason is None
    pd.testing.assert_frame_equal(walked_desk.lake.read("predictions", ticker="AAPL", scheme="walk_forward"), before)


def test_the_window_the_step_and_the_cadence_come_from_the_runs_configuration(plain_desk: Desk) -> None:
    plan = {"window": "rolling", "first_train": 500, "step": 200, "refit_every": 2}
    assert plain_desk.run("AAPL", job="backtest", models=("random_walk",), **plan).reason is None
    folds = plain_desk.lake.read("backtest_folds")
    assert folds[["window", "step", "refit_every"]].drop_duplicates().to_numpy().tolist() == [["rolling", 200, 2]]
    assert folds["refitted"].tolist()[:3] == [True, False, True]
    assert set(folds["n_train"]) == {500}


def test_a_plan_that_cannot_be_fails_in_one_line_and_a_good_one_heals_the_ticker(plain_desk: Desk) -> None:
    outcome = plain_desk.run("AAPL", job="backtest", models=("random_walk",), step=-1)
    said = "backtest/random_walk: the backtest's step is -1, expected at least 1 — correct --step"
    assert str(outcome.reason).startswith(said)
    assert plain_desk.statuses() == {"AAPL": "failed"}

    assert plain_desk.run("AAPL", job="backtest", models=("random_walk",)).reason is None

    assert plain_desk.statuses() == {"AAPL": "ok"}
    assert plain_desk.lake.read("tickers")["reason"].isna().all()


def test_a_failure_elsewhere_is_not_healed_by_a_backtest(plain_desk: Desk) -> None:
    health.failed(plain_desk.lake, "AAPL", Failure("raw_prices", "no such folder", "make it"), "a run")
    assert plain_desk.run("AAPL", job="backtest", models=("random_walk",)).reason is None
    assert plain_desk.statuses() == {"AAPL": "failed"}
    assert plain_desk.run("AAPL", job="fetch").reason is None
    assert plain_desk.statuses() == {"AAPL": "ok"}


@pytest.mark.slow
def test_settings_are_searched_for_training_and_for_every_refit(desk: Desk) -> None:
    plan = {"first_train": 450, "step": 150}
    assert desk.run("AAPL", tune=2, lookback="3y").reason is None
    assert desk.run("AAPL", job="backtest", tune=2, **plan).reason is None
    trials = desk.lake.read("tuning_trials")
    fits = desk.lake.read("backtest_folds", model="xgboost")
    assert set(trials["model"]) == {"xgboost"}, "the random walk has nothing to search"
    assert trials.groupby("study").size().tolist() == [2] * (1 + len(fits))
    assert trials.groupby("study")["chosen"].sum().tolist() == [1] * (1 + len(fits))
    assert set(fits["train_end"]) < set(trials["train_end"])
    trained = desk.lake.read("models", model="xgboost")
    chosen = trials[trials["train_end"].isin(trained["train_end"]) & trials["chosen"]]
    assert {*map(_sorted, trained["hyper_parameters"])} == {*map(_sorted, chosen["hyper_parameters"])}
    before = len(trials)
    assert desk.run("AAPL", job="backtest", tune=2, **plan).reason is None
    assert len(desk.lake.read("tuning_trials")) == before


def _sorted(settings: str) -> str:
    return json.dumps(json.loads(settings), sort_keys=True)


def test_only_the_backtest_job_holds_backtests() -> None:
    held = {job: {key.to_user_string() for key in _keys(job)} for job in ("lineage", "train", "forecast", "backtest")}
    backtests = {f"backtest/{name}" for name in model_names()}
    assert backtests < held["backtest"]
    assert {"evaluation", "champion"} < held["backtest"]
    assert not held["backtest"] & {"raw_prices", "prices", "features", "splits", "forecasts", "forecast_scores"}
    for job in ("lineage", "train", "forecast"):
        assert not backtests & held[job]
        assert {"evaluation", "champion"} < held[job]


def _keys(job: str) -> set[dg.AssetKey]:
    return set(defs.resolve_job_def(job).asset_layer.executable_asset_keys)


def test_each_model_has_the_cadence_its_file_declares_unless_told_otherwise() -> None:
    for name, refit_every in (("xgboost", 1), ("lstm_keras", 4)):
        declared = discover()[name].backtest_refit_every
        assert BacktestSettings().plan(declared).refit_every == declared == refit_every
        assert BacktestSettings(refit_every=3).plan(declared).refit_every == 3


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "home"
    monkeypatch.setenv("STOCK_ASSETS_HOME", str(folder))
    return folder


def test_the_command_refuses_what_cannot_be_before_it_runs_anything(
    home: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    refused = {
        ("--window", "sliding"): "window is 'sliding', expected expanding or rolling — correct --window",
        ("--step", "0"): "step is 0, expected at least 1 — correct --step",
        ("--first-train", "100"): "first_train is 100, expected at least 361 — correct --first-train",
        ("--refit-every", "0"): "refit_every is 0, expected at least 1 — correct --refit-every",
        (): "AAPL: it has no bars",
    }
    for flags, message in refused.items():
        assert command(["backtest", "-t", "AAPL", *flags]) == 1
        assert message in capsys.readouterr().err
    assert command(["backtest", "-t", "AAPL", "--tune", "-1"]) == 2
    assert Lake(home / "lake").read("tickers").empty


@pytest.mark.slow
def test_a_killed_backtest_is_completed_with_its_own_settings_by_any_later_command(home: Path) -> None:
    small = ["-t", "AAPL", "--models", "xgboost"]
    assert command(["run", *small, "--source", "sample", "--fast"]) == 0
    process = subprocess.Popen(
        [PROGRAM, "backtest", *small, "--step", "200"], stderr=subprocess.DEVNULL, start_new_session=True
    )
    fits = home / "models" / "ticker=AAPL" / "xgboost"
    before = len(list(fits.glob("[!.]*/manifest.json")))
    deadline = time.monotonic() + 120
    while len(list(fits.glob("[!.]*/manifest.json"))) < before + 2:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    finished = {path: path.stat().st_mtime_ns for path in fits.glob("[!.]*/manifest.json")}

    again = subprocess.run([PROGRAM, "fetch", "-t", "AAPL"], capture_output=True, text=True, check=False)

    assert again.returncode == 0, again.stderr
    assert "a run of AAPL was cut off" in again.stderr
    assert {path: path.stat().st_mtime_ns for path in finished} == finished
    folds = Lake(home / "lake").read("backtest_folds", model="xgboost")
    assert set(folds["step"]) == {200}
    assert len(folds) == len(list(fits.glob("[!.]*/manifest.json"))) - before
