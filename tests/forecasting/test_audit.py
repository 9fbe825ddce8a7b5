"""The leak audit on a trained model: honest work passes, and each planted leak is caught by name."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from stock_assets.forecasting import features as features_module
from stock_assets.forecasting.artifacts import ArtifactStore, StoredModel
from stock_assets.forecasting.audit import Subject, audit, examine_splits, failed_proofs, flags
from stock_assets.forecasting.evaluation import evaluate
from stock_assets.forecasting.features import Feature, compute_features
from stock_assets.forecasting.fit_provenance import examine_calibration, examine_scales, examine_training_end
from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.lookahead import cuts, examine_features, examine_predictions
from stock_assets.forecasting.models._network import NetworkFitted
from stock_assets.forecasting.models._windows import MinMaxScaler, cut_windows
from stock_assets.forecasting.models.lstm_pytorch import LstmPytorch
from stock_assets.forecasting.models.xgboost import XGBoost
from stock_assets.forecasting.predictions import predict_all
from stock_assets.forecasting.splits import holdout_splits
from stock_assets.forecasting.training import train
from storage.contracts import conform
from storage.tables import AUDIT, BACKTEST_FOLDS
from tests.forecasting.scored import predictions_of
from tests.storage.frames import rows

NOW = datetime(2026, 1, 5, 22, tzinfo=UTC)
NO_FOLDS = pd.DataFrame(columns=list(BACKTEST_FOLDS.column_names))


@pytest.fixture(scope="module")
def places(garch_prices):
    return cuts(garch_prices)


@pytest.fixture(scope="module")
def subject(boosted, garch_prices, garch_features, garch_splits, garch_history):
    predictions = predict_all(boosted[0], garch_history, garch_splits, ticker="GARCH", calendar="XNYS")
    return Subject(
        garch_prices,
        garch_features,
        garch_splits,
        NO_FOLDS,
        predictions,
        evaluate(predictions.query("scheme == 'holdout'"), scale_mae=1.0),
    )


def fits_of(trained) -> list[StoredModel]:
    return [trained.final, trained.evaluated]


def by_name(found) -> dict:
    return {one.name: one for one in found}


def test_an_honest_model_passes_every_proof_and_raises_no_flag(subject, boosted) -> None:
    table = audit(subject, {"xgboost": fits_of(boosted[0])}, ticker="GARCH", audited_at=NOW)
    assert conform(AUDIT, table, {"ticker": "GARCH"}).num_rows == len(table)
    assert table.loc[~table["passed"], ["subject", "name", "message"]].to_numpy().tolist() == []
    assert failed_proofs(table).empty
    assert table.groupby("subject")["name"].agg(set).to_dict() == {
        "features": {"features_truncated", "features_perturbed"},
        "splits": {"splits_disjoint", "splits_ordered", "splits_purged", "splits_complete", "folds_ordered"},
        "xgboost": {
            *("predictions_truncated", "predictions_perturbed", "training_end", "scaler_provenance"),
            *("calibration_provenance", "skill", "direction", "correlation"),
        },
    }
    own = table[table["subject"] == "xgboost"].set_index("name")
    assert set(own["model_version"]) == {boosted[0].final.manifest.version}
    assert own.loc[["predictions_truncated", "predictions_perturbed"], "statistic"].tolist() == [0.0, 0.0]


def test_the_random_walk_is_proven_and_not_flagged(subject, walk) -> None:
    table = audit(subject, {"random_walk": fits_of(walk)}, ticker="GARCH", audited_at=NOW)
    own = table[table["subject"] == "random_walk"]
    assert own["passed"].all()
    assert set(own["kind"]) == {"proof"}


def test_perturbed_bars_are_the_same_until_the_cut_and_are_bars_after_it(places, garch_prices) -> None:
    assert len(places) == 3
    for place in places:
        is_known = garch_prices["session"] <= place.session
        pd.testing.assert_frame_equal(place.truncated, garch_prices[is_known])
        pd.testing.assert_frame_equal(place.perturbed[is_known], garch_prices[is_known])
        later = place.perturbed[~is_known]
        assert (later["high"] >= later[["open", "close"]].max(axis=1)).all()
        assert (later["close"] != garch_prices.loc[~is_known, "close"]).all()
    assert places[-1].session == garch_prices["session"].iloc[-2]


# --- a deliberately leaky feature: tomorrow's return with noise


@pytest.fixture
def leaky_formula(monkeypatch):
    """The feature list with tomorrow's return and noise in it."""
    noisy = "lead(log_price) OVER sessions - log_price + 0.01 * sin(1e6 * log_price)"
    leak = Feature("momentum_tomorrow", noisy, 1, "log return", "a leak")
    monkeypatch.setattr(features_module, "FEATURES", (*features_module.FEATURES, leak))
    monkeypatch.setattr("stock_assets.forecasting.lookahead.FEATURES", features_module.FEATURES)


@pytest.mark.usefixtures("leaky_formula")
def test_a_leaky_formula_is_caught_by_name(garch_prices, places) -> None:
    found = by_name(examine_features(compute_features(garch_prices), places))
    for name in ("features_truncated", "features_perturbed"):
        assert not found[name].passed
        assert found[name].message.startswith("momentum_tomorrow of the same sessions came out otherwise")
        assert "a look into the future" in found[name].message


def test_a_stored_feature_that_holds_tomorrow_is_caught_by_name_and_so_is_a_model_that_uses_it(
    garch_prices, garch_features, garch_splits, boosted, places
) -> None:
    noise = 0.01 * np.random.default_rng(1).standard_normal(len(garch_features))
    leaky = garch_features.assign(gap=garch_features["target_log_return"].fillna(0.0) + noise)
    found = by_name(examine_features(leaky, places))
    assert not found["features_truncated"].passed
    assert found["features_truncated"].message.startswith("gap of the same sessions")
    found = by_name(examine_predictions(fits_of(boosted[0]), build_history(garch_prices, leaky), places))
    assert not found["predictions_truncated"].passed
    assert "a look into the future" in found["predictions_truncated"].message


def test_a_model_that_learned_from_a_leaky_feature_is_flagged(garch_prices, garch_features, tmp_path) -> None:
    """Without the recomputation the scores alone would tell: skill, direction and correlation are too good."""
    noise = 0.01 * np.random.default_rng(1).standard_normal(len(garch_features))
    leaky = garch_features.assign(gap=garch_features["target_log_return"].fillna(0.0) + noise)
    history, splits = build_history(garch_prices, leaky), holdout_splits(leaky)
    store = ArtifactStore(tmp_path)
    trained = train(XGBoost(n_estimators=60), history, splits, ticker="GARCH", store=store, now=lambda: NOW)
    predictions = predict_all(trained, history, splits, ticker="GARCH", calendar="XNYS")
    scores = evaluate(predictions.query("scheme == 'holdout'"), scale_mae=1.0).assign(n=500)
    subject = Subject(garch_prices, leaky, splits, NO_FOLDS, predictions, scores)
    assert {one.name: one.passed for one in flags(subject, "xgboost")} == {
        "skill": False,
        "direction": False,
        "correlation": False,
    }


# --- a scaler fitted on all rows


@pytest.fixture(scope="module")
def network(garch_history, garch_splits, tmp_path_factory):
    store = ArtifactStore(tmp_path_factory.mktemp("network"))
    forecaster = LstmPytorch.fast(max_epochs=1)
    return train(forecaster, garch_history, garch_splits, ticker="GARCH", store=store, now=lambda: NOW)


@pytest.mark.slow
def test_a_network_passes_within_its_rounding(network, garch_history, places) -> None:
    found = by_name(examine_predictions(fits_of(network), garch_history, places))
    assert all(one.passed and one.limit == 1e-6 for one in found.values())
    scales = examine_scales(fits_of(network), garch_history)
    assert scales.passed
    assert scales.statistic == 0.0
    assert scales.message == "4 scales are those of the training rows alone"
    assert examine_calibration(fits_of(network), garch_history).passed


@pytest.mark.slow
def test_a_scaler_fitted_on_all_rows_is_caught_by_name(network, garch_history) -> None:
    honest = network.evaluated
    everything = MinMaxScaler.fit(cut_windows(garch_history, honest.fitted.forecaster.window, "log_return"))
    kept = honest.fitted
    leaky = NetworkFitted(kept.forecaster, kept.network, everything, kept.output, kept.losses)
    found = examine_scales([network.final, replace(honest, fitted=leaky)], garch_history)
    assert (found.name, found.passed) == ("scaler_provenance", False)
    assert found.message.startswith("scales are not those of the training rows: inputs of the evaluated fit by ")


def test_a_label_scale_of_all_rows_is_caught_by_name(boosted, garch_history) -> None:
    trained = boosted[0]
    borrowed = replace(trained.evaluated, fitted=trained.final.fitted)
    found = examine_scales([borrowed], garch_history)
    assert not found.passed
    assert "label of the evaluated fit" in found.message


def test_scales_are_compared_loosely_once_bars_were_restated(boosted, garch_history) -> None:
    restated = garch_history.assign(adj_close=garch_history["adj_close"] * 0.99)
    found = examine_scales(fits_of(boosted[0]), restated)
    assert found.passed
    assert "bars were restated since the fit" in found.message
    assert found.limit == pytest.approx(1e-3)


def test_a_fit_without_scales_passes_and_one_with_scales_nobody_knows_of_is_caught(
    boosted, walk, garch_history
) -> None:
    none = examine_scales([walk.evaluated], garch_history)
    assert (none.passed, none.message) == (True, "it keeps no scales")
    evaluated = boosted[0].evaluated
    foreign = replace(evaluated, fitted=replace(evaluated.fitted, forecaster=walk.evaluated.fitted.forecaster))
    found = examine_scales([foreign], garch_history)
    assert not found.passed
    assert "the evaluated fit holds label" in found.message


# --- a shuffled split


def test_a_shuffled_split_is_caught_by_name(garch_splits, garch_features) -> None:
    role = np.random.default_rng(2).permutation(garch_splits["role"])
    found = by_name(examine_splits(garch_splits.assign(role=role), NO_FOLDS, garch_features))
    assert not found["splits_ordered"].passed
    assert "role belongs to an earlier time" in found["splits_ordered"].message
    assert not found["splits_purged"].passed
    assert all(one.passed for one in examine_splits(garch_splits, NO_FOLDS, garch_features))


def folds_on(sessions: pd.Series, **changed: list[int]) -> pd.DataFrame:
    """Two folds, given as positions of sessions."""
    at = {"train_end": [300, 350], "test_start": [302, 352], "test_end": [351, 401]} | changed
    columns = {name: sessions.iloc[places].to_numpy() for name, places in at.items()}
    return rows("backtest_folds", 2, model="sarima", fold=["wf_00", "wf_01"], model_version=["a", "b"]).assign(
        **columns
    )


@pytest.mark.parametrize(
    ("changed", "caught"),
    [
        ({}, None),
        ({"train_end": [301, 350]}, "sarima wf_00"),  # no session is purged
        ({"train_end": [300, 360]}, "sarima wf_01"),
        ({"test_start": [302, 351]}, "sarima wf_01"),  # a session is predicted twice
    ],
)
def test_folds_that_learn_from_what_they_predict_are_caught(garch_splits, garch_features, changed, caught) -> None:
    sessions = garch_features["session"]
    found = by_name(examine_splits(garch_splits, folds_on(sessions, **changed), garch_features))["folds_ordered"]
    assert found.passed is (caught is None)
    assert (caught or "2 folds learn from the past") in found.message


# --- where knowledge ends, and what intervals were calibrated on


def test_a_fit_that_ends_after_what_it_predicts_is_caught(boosted, subject, garch_history) -> None:
    trained, session = boosted[0], garch_history["session"]
    assert examine_training_end(fits_of(trained), NO_FOLDS, subject.predictions, session).passed
    late = replace(trained.evaluated, manifest=replace(trained.evaluated.manifest, train_end="2012-06-01"))
    found = examine_training_end([trained.final, late], NO_FOLDS, subject.predictions, session)
    assert not found.passed
    assert "holdout from " in found.message
    assert "up to 2012-06-01" in found.message


def test_a_fold_without_a_purged_session_or_of_an_unknown_fit_is_caught(garch_features) -> None:
    session = garch_features["session"]
    folds = folds_on(session)
    predicted = predictions_of("sarima", np.zeros(5), np.zeros(5), fold="wf_00", role="test")
    predicted = predicted.assign(session=session.iloc[302:307].to_numpy(), model_version="a")
    assert examine_training_end([], folds, predicted, session).passed
    close = examine_training_end([], folds_on(session, train_end=[301, 350]), predicted, session)
    assert "wf_00 from " in close.message
    unknown = examine_training_end([], folds, predicted.assign(model_version="lost"), session)
    assert unknown.message == "rows of fits that nothing is known of: wf_00 by lost"


def test_intervals_calibrated_outside_the_training_window_are_caught(boosted, garch_history) -> None:
    trained = boosted[0]
    assert examine_calibration(fits_of(trained), garch_history).passed
    early = replace(trained.evaluated, manifest=replace(trained.evaluated.manifest, train_end="2011-06-01"))
    found = examine_calibration([trained.final, early], garch_history)
    assert not found.passed
    assert "the evaluated fit used " in found.message


def test_scores_that_are_not_those_of_the_training_rows_are_caught(boosted, garch_history) -> None:
    trained = boosted[0]
    borrowed = replace(trained.evaluated, calibration=trained.final.calibration)
    found = examine_calibration([borrowed], garch_history)
    assert (found.name, found.passed) == ("calibration_provenance", False)
    assert "scores of the evaluated fit differ" in found.message


# --- flags


def scored(**changed) -> pd.DataFrame:
    fine = {"n": 500, "skill_vs_naive": 0.011, "clark_west_p": 0.009, "directional_accuracy": 0.55}
    fine |= {"directional_accuracy_lower": 0.51, "up_share": 0.52}
    return rows("evaluation", 1, model="m", scheme="walk_forward", role="test").assign(**(fine | changed))


def flag(name: str, scores: pd.DataFrame, predictions: pd.DataFrame | None = None):
    none = predictions_of("m", np.zeros(1), np.zeros(1)).iloc[:0]
    known = none if predictions is None else predictions
    bars = pd.DataFrame({"session": pd.bdate_range("2020-01-01", periods=900)}).assign(
        adj_close=100 * np.exp(np.cumsum(0.01 * np.random.default_rng(8).standard_normal(900)))
    )
    return by_name(flags(Subject(bars, none, none, NO_FOLDS, known, scores), "m"))[name]


@pytest.mark.parametrize(
    ("changed", "raised"),
    [
        ({}, True),
        ({"skill_vs_naive": 0.01}, False),
        ({"clark_west_p": 0.01}, False),
        ({"clark_west_p": np.nan}, False),
        ({"n": 499}, False),
    ],
)
def test_too_much_skill_raises_a_flag(changed, raised) -> None:
    assert flag("skill", scored(**changed)).passed is not raised


@pytest.mark.parametrize(
    ("changed", "raised"),
    [
        ({"directional_accuracy_lower": 0.521}, True),
        ({"directional_accuracy_lower": 0.52}, False),
        ({"directional_accuracy_lower": 0.501, "up_share": 0.4}, True),  # a coin is the least to beat
        ({"directional_accuracy_lower": 0.45, "up_share": 0.4}, False),
        ({"directional_accuracy_lower": np.nan}, False),
    ],
)
def test_too_many_right_directions_raise_a_flag(changed, raised) -> None:
    assert flag("direction", scored(**changed)).passed is not raised


@pytest.mark.parametrize(("share", "raised"), [(0.3, True), (0.0, False)])
def test_a_prediction_that_goes_with_the_next_return_raises_a_flag(share, raised) -> None:
    rng = np.random.default_rng(3)
    actual, noise = 0.01 * rng.standard_normal((2, 800))
    found = flag("correlation", scored(), predictions_of("m", share * actual + 0.3 * noise, actual))
    assert found.passed is not raised
    expected = np.corrcoef(share * actual + 0.3 * noise, actual)[0, 1]
    assert f"correlation with the next return {expected:+.3f}" in found.message
    assert "with the last one" in found.message


def test_a_model_that_says_nothing_has_no_correlation() -> None:
    found = flag("correlation", scored(), predictions_of("m", np.zeros(800), np.ones(800)))
    assert found.passed
    assert found.message == "it says too little to be compared"
