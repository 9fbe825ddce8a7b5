"""The leak audit on a trained model: honest work passes, shuffled splits are caught, the too good is flagged."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.forecasting.audit import Subject, as_findings, audit, examine_splits, failed_proofs, flags
from stock_assets.forecasting.evaluation import evaluate
from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.models.xgboost import XGBoost
from stock_assets.forecasting.predictions import predict_all
from stock_assets.forecasting.splits import holdout_splits
from stock_assets.forecasting.training import train
from storage.contracts import conform
from storage.tables import AUDIT
from tests.forecasting.evidence import NO_FOLDS, by_name, fits_of, folds_on
from tests.forecasting.scored import predictions_of
from tests.storage.frames import rows

NOW = datetime(2026, 1, 5, 22, tzinfo=UTC)


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


def test_a_shuffled_split_is_caught_by_name(garch_splits, garch_features) -> None:
    role = np.random.default_rng(2).permutation(garch_splits["role"])
    found = by_name(examine_splits(garch_splits.assign(role=role), NO_FOLDS, garch_features))
    assert not found["splits_ordered"].passed
    assert "role belongs to an earlier time" in found["splits_ordered"].message
    assert not found["splits_purged"].passed
    assert all(one.passed for one in examine_splits(garch_splits, NO_FOLDS, garch_features))


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


def test_more_than_a_hundred_folds_come_in_the_order_of_time(garch_splits, garch_features) -> None:
    folds = folds_on(garch_features["session"]).assign(fold=["wf_99", "wf_100"])
    assert by_name(examine_splits(garch_splits, folds, garch_features))["folds_ordered"].passed


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


def test_checks_are_told_what_did_not_hold_proofs_as_errors_and_flags_as_warnings() -> None:
    table = rows("audit", 4, kind=["proof", "proof", "proof", "flag"], subject=["features", "splits", "m", "m"])
    table = table.assign(passed=[False, True, False, False], name="n", message="why")
    found = [(one.name, one.severity, one.message) for one in as_findings(table)]
    assert found == [
        ("features_proven", "error", "features, n: why"),
        ("models_proven", "error", "m, n: why"),
        ("nothing_too_good", "warn", "m, n: why"),
    ]
