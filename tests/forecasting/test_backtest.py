"""What the walk-forward backtest fits and predicts on its folds, and that it goes on where it was killed."""

import json
import multiprocessing
import os
import signal
import time
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.forecasting.backtest import check_backtest, run_backtest
from stock_assets.forecasting.features import FEATURES, compute_features
from stock_assets.forecasting.findings import Finding
from stock_assets.forecasting.folds import Plan, plan_folds
from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.models.random_walk import RandomWalk
from stock_assets.forecasting.models.xgboost import XGBoost
from storage.contracts import conform
from storage.tables import TABLES

NOW = datetime(2012, 10, 1, 12, tzinfo=UTC)
SMALL = XGBoost(n_estimators=10)
PLAN = Plan(first_train=400, step=70)


@pytest.fixture
def store(tmp_path):
    return ArtifactStore(tmp_path)


def backtest(history, folds, store, forecaster=SMALL, **options):
    fixed = {"ticker": "GARCH", "calendar": "XNYS", "store": store, "now": lambda: NOW}
    return run_backtest(forecaster, history, folds, **fixed, **options)


@pytest.fixture(scope="module")
def finished(garch_history, garch_features, tmp_path_factory):
    """A backtest of four folds, its folds, and the store its fits are in. Do not change the store."""
    store = ArtifactStore(tmp_path_factory.mktemp("backtest"))
    folds = plan_folds(garch_features, PLAN)
    return backtest(garch_history, folds, store), folds, store


def test_frames_fit_their_contracts_and_say_what_was_done(finished, garch_features):
    result, folds, store = finished
    conform(TABLES["predictions"], result.predictions)
    conform(TABLES["backtest_folds"], result.folds)
    conform(TABLES["tuning_trials"], result.trials)
    assert check_backtest(result.predictions, folds, garch_features) == []
    assert result.predictions["scheme"].unique().tolist() == ["walk_forward"]
    assert result.predictions["role"].unique().tolist() == ["test"]
    assert result.folds["fold"].tolist() == ["wf_00", "wf_01", "wf_02", "wf_03"]
    assert result.folds["n_test"].tolist() == [70, 70, 70, 28]
    assert result.folds["n_train"].tolist() == [400, 470, 540, 610]
    for row, fold in zip(result.folds.itertuples(), folds, strict=True):
        manifest = store.manifest("GARCH", "xgboost", row.model_version)
        assert (manifest.kind, manifest.n_train) == ("backtest", row.n_train)
        assert manifest.train_end == f"{fold.train[-1]:%Y-%m-%d}"
        assert json.loads(row.hyper_parameters)["n_estimators"] == 10
        of_fold = result.predictions[result.predictions["fold"] == row.fold]
        assert set(of_fold["model_version"]) == {row.model_version}
        squared = [(p - a) ** 2 for p, a in zip(of_fold["predicted"], of_fold["actual"], strict=True)]
        naive = [(p - a) ** 2 for p, a in zip(of_fold["naive"], of_fold["actual"], strict=True)]
        assert row.rmse == pytest.approx((sum(squared) / len(squared)) ** 0.5)
        assert row.skill_vs_naive == pytest.approx(1 - (sum(squared) / sum(naive)) ** 0.5)


@pytest.mark.parametrize("window", ["expanding", "rolling"])
def test_a_fold_is_predicted_by_a_plain_fit_on_its_window(window, garch_history, garch_features, store):
    """Oracle: the same rows given to the model by hand, times the shrinkage that was stored."""
    folds = plan_folds(garch_features, Plan(window, first_train=400, step=150, refit_every=1))
    result = backtest(garch_history, folds, store)
    for number, fold in enumerate(folds):
        stop = 60 + 400 + 150 * number
        start = 150 * number if window == "rolling" else 0
        known = garch_history.iloc[start:stop].reset_index(drop=True)
        # The first 60 sessions are inputs only: nothing is learned from them.
        known.loc[:59, [feature.name for feature in FEATURES]] = np.nan
        fitted = SMALL.fit(known)
        shrink = store.manifest("GARCH", "xgboost", result.folds["model_version"][number]).shrink
        expected = shrink * fitted.predict(garch_history)[stop + 1 : stop + 1 + len(fold.test)]
        rows = result.predictions[result.predictions["fold"] == fold.name]
        np.testing.assert_allclose(rows["predicted_log_return"], expected, rtol=1e-12)


def test_what_comes_later_changes_no_earlier_prediction(finished, garch_history, garch_features, store):
    result, folds, _ = finished
    rng = np.random.default_rng(5)
    # All that is known when the first session of the last fold but one is predicted from.
    known = garch_history.index[garch_history["session"] == folds[2].test[0]][0]
    numbers = garch_history.select_dtypes("float64").columns
    changed = garch_history.copy()
    changed.loc[known + 1 :, numbers] *= np.exp(0.1 * rng.standard_normal((len(changed) - known - 1, len(numbers))))
    again = backtest(changed, folds, store)
    assert again.folds["model_version"].tolist()[:3] == result.folds["model_version"].tolist()[:3]
    assert again.folds["model_version"][3] != result.folds["model_version"][3]
    same = ["fold", "session", "predicted_log_return", "predicted", "lower_90", "upper_90", "volatility"]
    earlier = result.predictions["session"] <= folds[2].test[0]
    pd.testing.assert_frame_equal(again.predictions.loc[earlier, same], result.predictions.loc[earlier, same])


def test_folds_that_share_a_fit_say_so(garch_history, garch_features, store):
    folds = plan_folds(garch_features, Plan(first_train=400, step=70, refit_every=2))
    result = backtest(garch_history, folds, store)
    versions = result.folds["model_version"].tolist()
    assert versions[0] == versions[1] != versions[2] == versions[3]
    assert result.folds["refitted"].tolist() == [True, False, True, False]
    assert result.folds["refit_every"].tolist() == [2] * 4
    assert len(list(store.root.glob("ticker=GARCH/xgboost/*"))) == 2


def test_the_random_walk_is_backtested_like_any_model(garch_history, garch_features, store):
    result = backtest(garch_history, plan_folds(garch_features, PLAN), store, RandomWalk())
    assert (result.predictions["predicted"] == result.predictions["naive"]).all()
    assert result.folds["skill_vs_naive"].tolist() == [0.0] * 4


def test_a_second_run_fits_nothing_and_a_longer_history_only_what_is_new(
    garch_prices, garch_history, garch_features, store
):
    shorter = compute_features(garch_prices.iloc[:-100])
    backtest(build_history(garch_prices.iloc[:-100], shorter), plan_folds(shorter, PLAN), store)
    made = {path.name for path in store.root.glob("ticker=GARCH/xgboost/*")}
    said = []
    folds = plan_folds(garch_features, PLAN)
    first = backtest(garch_history, folds, store, progress=said.append)
    added = {path.name for path in store.root.glob("ticker=GARCH/xgboost/*")} - made
    assert added == set(first.folds["model_version"][len(made) :])
    assert next(line for line in said if "is in the store already" in line).startswith("fold 1/4: backtest fit")
    said.clear()
    again = backtest(garch_history, folds, store, progress=said.append)
    pd.testing.assert_frame_equal(again.predictions, first.predictions)
    pd.testing.assert_frame_equal(again.folds, first.folds)
    assert [line.split(":")[0] for line in said if "already" in line] == [f"fold {number}/4" for number in (1, 2, 3, 4)]
    assert not [line for line in said if "calibration" in line]


def _walk(root, bars):
    """What the killed process does."""
    features = compute_features(bars)
    backtest(build_history(bars, features), plan_folds(features, PLAN), ArtifactStore(root), XGBoost(n_estimators=400))


@pytest.mark.slow
def test_a_killed_backtest_goes_on_where_it_was(tmp_path, garch_prices, garch_history, garch_features):
    store = ArtifactStore(tmp_path)
    process = multiprocessing.get_context("spawn").Process(target=_walk, args=(tmp_path, garch_prices))
    process.start()
    finished = tmp_path / "ticker=GARCH" / "xgboost"
    deadline = time.monotonic() + 120
    while len(list(finished.glob("[!.]*/manifest.json"))) < 2 and process.is_alive() and time.monotonic() < deadline:
        time.sleep(0.002)
    os.kill(process.pid, signal.SIGKILL)
    process.join()
    assert process.exitcode == -signal.SIGKILL
    store.sweep()
    before = {path.name: (path / "manifest.json").read_bytes() for path in finished.iterdir()}
    assert 2 <= len(before) < 4

    said = []
    folds = plan_folds(garch_features, PLAN)
    result = backtest(garch_history, folds, store, XGBoost(n_estimators=400), progress=said.append)

    assert len([line for line in said if "is in the store already" in line]) == len(before)
    assert len([line for line in said if "backtest fit on" in line]) == 4 - len(before)
    assert {name: (finished / name / "manifest.json").read_bytes() for name in before} == before
    assert check_backtest(result.predictions, folds, garch_features) == []


def test_progress_names_the_fold(garch_history, garch_features, store):
    said = []
    backtest(garch_history, plan_folds(garch_features, PLAN), store, RandomWalk(), progress=said.append)
    assert [line.rpartition(": ")[0] for line in said[:3]] == [
        "fold 1/4: calibration fold 1/2",
        "fold 1/4: calibration fold 2/2",
        "fold 1/4: backtest fit on 400 sessions",
    ]
    [first] = [line for line in said if line.startswith("fold 1/4: 70 sessions predicted")]
    assert first.startswith("fold 1/4: 70 sessions predicted from 20")
    assert said[-1].startswith("fold 4/4: 28 sessions predicted")


def test_a_fold_or_a_session_without_a_prediction_is_found(finished, garch_features):
    result, folds, _ = finished
    rows = result.predictions
    without_a_fold = check_backtest(rows[rows["fold"] != "wf_01"], folds, garch_features)
    assert [(finding.name, finding.severity, len(finding.sessions)) for finding in without_a_fold] == [
        ("predictions_complete", "error", 70)
    ]
    assert "wf_01" in without_a_fold[0].message
    without_a_session = check_backtest(rows.drop(index=100), folds, garch_features)
    assert without_a_session == [
        Finding(
            "predictions_complete",
            "error",
            "sessions that should be predicted and are not: 1",
            (rows["session"][100].date(),),
        )
    ]


def test_a_fold_that_the_model_cannot_predict_has_no_scores_and_is_found(garch_history, garch_features, store):
    folds = plan_folds(garch_features, PLAN)
    blank = garch_history.copy()
    blank.loc[blank["session"].isin(folds[3].test), FEATURES[0].name] = np.nan
    result = backtest(blank, folds, store)
    assert result.folds["n_test"].tolist() == [70, 70, 70, 0]
    assert result.folds["rmse"].isna().tolist() == [False, False, False, True]
    found = check_backtest(result.predictions, folds, garch_features)
    assert [finding.message for finding in found] == ["folds without a prediction: wf_03"]
