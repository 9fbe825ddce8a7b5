import re
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from stock_assets.forecasting import addresses
from stock_assets.forecasting import features as feature_formulas
from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.forecasting.errors import ArtifactMismatch, TooFewRows
from stock_assets.forecasting.features import FEATURES, compute_features
from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.models import discover
from stock_assets.forecasting.models.random_walk import RandomWalk
from stock_assets.forecasting.models.xgboost import XGBoost
from stock_assets.forecasting.splits import holdout_splits
from stock_assets.forecasting.training import fit_fold, inner_folds, train
from stock_assets.forecasting.volatility import forecast_volatility
from tests.forecasting.combined import ENSEMBLES

NOW = datetime(2012, 10, 1, 12, tzinfo=UTC)
SMALL = XGBoost(n_estimators=20)


@pytest.fixture
def store(tmp_path):
    return ArtifactStore(tmp_path)


@pytest.fixture
def run(garch_history, garch_splits, store):
    def train_with(forecaster=SMALL, history=garch_history, splits=garch_splits, **options):
        return train(forecaster, history, splits, ticker="GARCH", store=store, now=lambda: NOW, **options)

    return train_with


def rows_of(splits, role):
    return splits["session"][splits["role"] == role]


def test_the_evaluated_fit_learns_from_train_and_the_final_from_every_label(boosted, garch_history, garch_splits):
    evaluated, final = boosted[0].evaluated.manifest, boosted[0].final.manifest
    learned = rows_of(garch_splits, "train")
    assert (evaluated.train_start, evaluated.train_end) == tuple(f"{day:%Y-%m-%d}" for day in learned.iloc[[0, -1]])
    assert evaluated.n_train == len(learned)
    assert final.train_start == evaluated.train_start
    assert final.train_end == f"{garch_history['session'].iloc[-2]:%Y-%m-%d}"
    assert final.n_train == len(garch_history) - 60 - 1
    assert evaluated.splits["test"][2] == len(rows_of(garch_splits, "test"))


def test_nothing_after_train_reaches_the_evaluated_fit(run, boosted, garch_history, garch_splits):
    rng = np.random.default_rng(3)
    # The last label of train ends in the purged session, so what comes after that one is free to change.
    last = garch_history.index[garch_history["session"] == rows_of(garch_splits, "train").iloc[-1]][0]
    numbers = garch_history.select_dtypes("float64").columns
    changed = garch_history.copy()
    changed.loc[last + 1 :, numbers] *= np.exp(0.1 * rng.standard_normal((len(changed) - last - 1, len(numbers))))
    assert run(history=changed).evaluated.manifest.version == boosted[0].evaluated.manifest.version
    assert run(history=changed).evaluated.calibration == boosted[0].evaluated.calibration


def test_a_second_run_fits_nothing(run):
    first = run()
    messages = []
    second = run(progress=messages.append)
    assert [message.split()[0] for message in messages] == ["evaluated", "final"]
    assert all("in the store already" in message for message in messages)
    assert second.final.manifest == first.final.manifest


def test_a_damaged_fit_is_fitted_again(run, store):
    first = run()
    folder = store.folder("GARCH", "xgboost", first.evaluated.manifest.version)
    (folder / "model.ubj").write_bytes(b"")
    again = run()
    assert again.evaluated.manifest.files == first.evaluated.manifest.files


@pytest.mark.parametrize("change", ["seed", "setting", "target", "data", "splits", "code", "features"])
def test_whatever_changes_a_fit_changes_its_address(change, run, garch_history, garch_splits, monkeypatch):
    before = run()
    if change == "code":
        monkeypatch.setattr(addresses, "code_version", lambda _: "other code")
    if change == "features":
        monkeypatch.setattr(feature_formulas, "FEATURES", FEATURES[:-1])
    later_start = garch_splits["role"].mask(garch_splits.index < 5, "purged")
    varied = {
        "seed": {"forecaster": XGBoost(n_estimators=20, seed=1)},
        "setting": {"forecaster": XGBoost(n_estimators=20, max_depth=1)},
        "target": {"forecaster": XGBoost(n_estimators=20, target="price")},
        "data": {"history": garch_history.assign(volume=garch_history["volume"] + 1)},
        "splits": {"splits": garch_splits.assign(role=later_start)},
        "code": {},
        "features": {},
    }
    after = run(**varied[change])
    assert after.evaluated.manifest.version != before.evaluated.manifest.version
    assert after.final.manifest.version != before.final.manifest.version


def test_only_a_model_that_reads_features_depends_on_their_formulas(run, monkeypatch):
    trees, walk = run(), run(RandomWalk())
    version = feature_formulas.features_version()
    assert {fit.manifest.features_version for fit in (trees.evaluated, trees.final)} == {version}
    assert {fit.manifest.features_version for fit in (walk.evaluated, walk.final)} == {None}
    monkeypatch.setattr(feature_formulas, "FEATURES", FEATURES[:-1])
    assert run(RandomWalk()).final.manifest.version == walk.final.manifest.version


def test_exactly_the_trees_and_what_combines_them_read_features(fits):
    assert {name for name, model in discover().items() if model.uses_features} == {"xgboost", "random_forest"}
    version = feature_formulas.features_version()
    for ensemble in ENSEMBLES:
        assert {fit.manifest.features_version for fit in vars(fits[ensemble.name]).values()} == {version}


def test_one_more_day_refits_only_the_final_fit(run, garch_prices, garch_history):
    known = garch_prices.iloc[:-1]
    features = compute_features(known)
    frozen = holdout_splits(features)
    before = run(history=build_history(known, features), splits=frozen)
    after = run(splits=frozen)
    assert after.evaluated.manifest.version == before.evaluated.manifest.version
    assert after.final.manifest.version != before.final.manifest.version
    assert after.final.manifest.n_train == before.final.manifest.n_train + 1


def test_the_random_walks_scores_are_its_returns_over_volatility(run, garch_history, garch_splits):
    trained = run(RandomWalk())
    scale = np.abs(garch_history["target_log_return"]) / forecast_volatility(garch_history)
    scores = pd.Series(scale.to_numpy(), index=garch_history["session"])
    learned = rows_of(garch_splits, "train")
    asked = learned.to_numpy()[len(learned) // 3 :]  # the first third is only learned from
    np.testing.assert_allclose(trained.evaluated.calibration.scores, scores[asked])
    later = garch_splits["session"][garch_splits["role"].isin(["validation", "test"])]
    np.testing.assert_allclose(trained.final.calibration.scores, scores[np.concatenate([asked, later])])
    assert trained.final.manifest.interval_quantiles["90"] == trained.final.calibration.quantile(90)


def test_predictions_are_shrunk_by_their_slope_on_folds_they_were_not_fitted_on(boosted, garch_history, garch_splits):
    learned = garch_history.index[garch_history["session"].isin(rows_of(garch_splits, "train"))]
    predicted = pd.Series(np.nan, index=garch_history.index)
    for start, stop in ((128, 256), (256, 383), (383, 510)):  # 510 train sessions in four blocks
        known = garch_history.loc[: learned[start] - 2]
        asked = learned[start:stop]
        predicted[asked] = SMALL.fit(known).predict(garch_history)[asked]
    volatility = forecast_volatility(garch_history)
    x, y = (predicted / volatility).dropna(), garch_history["target_log_return"] / volatility
    slope = (x * y[x.index]).sum() / (x**2).sum()
    assert boosted[0].evaluated.manifest.shrink == pytest.approx(np.clip(slope, 0.0, 1.0))
    assert boosted[0].evaluated.manifest.shrinkage["n"] == len(x) == 382
    assert boosted[0].final.manifest.shrinkage["n"] == 382 + 64 + 63


def test_a_model_that_follows_noise_too_closely_is_believed_less(run):
    greedy = XGBoost(n_estimators=200, max_depth=6, learning_rate=0.3, min_child_rows=1, reg_lambda=0.0, subsample=1.0)
    assert run(greedy).evaluated.manifest.shrink < 0.2


def test_the_random_walk_stays_exactly_zero(run, garch_history):
    np.testing.assert_array_equal(run(RandomWalk()).final.predict(garch_history), 0.0)


def test_the_reference_formulation_is_used_as_it_is(run, garch_history):
    model = run(XGBoost(n_estimators=20, target="price")).evaluated
    assert model.manifest.shrinkage is None
    assert model.manifest.shrink == 1.0
    np.testing.assert_array_equal(model.predict(garch_history), model.fitted.predict(garch_history))


def test_progress_names_folds_and_fits(run):
    messages = []
    run(progress=messages.append)
    headlines, seconds = zip(*(message.split(": ") for message in messages), strict=True)
    assert all(re.fullmatch(r"\d+\.\d s", text) for text in seconds)
    assert list(headlines) == [
        *(f"calibration fold {number}/3" for number in (1, 2, 3)),
        "evaluated fit on 510 sessions",
        "final fit on 639 sessions",
    ]


def test_inner_folds_expand_in_time_with_one_session_between():
    rows = np.arange(60, 460)
    folds = inner_folds(rows, SMALL)
    assert len(folds) == 3
    assert [len(ask) for _, ask in folds] == [100, 100, 100]
    for learn, ask in folds:
        np.testing.assert_array_equal(learn, np.arange(60, ask[0] - 1))
    np.testing.assert_array_equal(np.concatenate([ask for _, ask in folds]), rows[100:])


@pytest.mark.parametrize("n", [0, 3, 100])
def test_too_short_a_first_fold_is_refused_with_both_numbers(n):
    pattern = rf"xgboost needs 120 sessions in the first of its 3 .* {n} training sessions leave \d+"
    with pytest.raises(TooFewRows, match=pattern):
        inner_folds(np.arange(60, 60 + n), SMALL)


def test_history_and_splits_are_left_as_they_were(run, garch_history, garch_splits):
    history, splits = garch_history.copy(), garch_splits.copy()
    run(history=history, splits=splits)
    pd.testing.assert_frame_equal(history, garch_history)
    pd.testing.assert_frame_equal(splits, garch_splits)


def test_a_fold_is_fitted_on_its_rows_only_calibrated_and_kept_apart(garch_history, store):
    rows = np.arange(60, 460)
    messages = []
    made = [
        fit_fold(SMALL, history, rows, ticker="GARCH", store=store, now=lambda: NOW, progress=messages.append)
        for history in (garch_history, garch_history.iloc[:600])
    ]
    manifest = made[0].manifest
    assert (manifest.kind, manifest.n_train) == ("backtest", 400)
    assert manifest.train_end == f"{garch_history['session'].iloc[459]:%Y-%m-%d}"
    assert list(manifest.splits) == ["train"]
    assert len(made[0].calibration.scores) == 300  # the first of four blocks is only learned from
    # What came later is not part of it, so it was fitted once.
    assert made[1].manifest == manifest
    assert messages[-1] == f"backtest fit {manifest.version} is in the store already"
    with pytest.raises(ArtifactMismatch, match="no xgboost has been trained for GARCH"):
        store.current("GARCH", "xgboost")
