"""Ensembles of two real, small models in a real store."""

import json
from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from stock_assets.forecasting.combining import answers
from stock_assets.forecasting.ensembles import discover_ensembles, member_names, model_names
from stock_assets.forecasting.ensembles._base import common_rows
from stock_assets.forecasting.ensembles.ensemble_equal import EnsembleEqual
from stock_assets.forecasting.ensembles.ensemble_inverse_error import EnsembleInverseError
from stock_assets.forecasting.errors import ArtifactMismatch, NotTrained, TooFewRows
from stock_assets.forecasting.models import BENCHMARK, discover
from stock_assets.forecasting.models.random_forest import RandomForest
from stock_assets.forecasting.models.xgboost import XGBoost
from stock_assets.forecasting.predictions import predict_all
from stock_assets.forecasting.volatility import forecast_volatility
from tests.forecasting.combined import ENSEMBLES, MEMBERS

each_ensemble = pytest.mark.parametrize("ensemble", ENSEMBLES, ids=lambda model: model.name)


def test_the_ensembles_combine_every_model_that_learns_and_no_benchmark():
    assert set(member_names()) == set(discover()) - {BENCHMARK}
    assert tuple(discover_ensembles().values()) == ENSEMBLES
    assert model_names()[0] == BENCHMARK
    assert set(model_names()) == {*discover(), *discover_ensembles()}


@each_ensemble
@pytest.mark.parametrize("kind", ["evaluated", "final"])
def test_a_prediction_is_the_weighted_mean_of_what_the_members_publish(ensemble, kind, fits, garch_history):
    stored = getattr(fits[ensemble.name], kind)
    weights = stored.fitted.weights
    assert set(weights) == set(MEMBERS)
    assert sum(weights.values()) == pytest.approx(1.0, abs=1e-12)
    assert min(weights.values()) > 0
    expected = np.zeros(len(garch_history))
    for name in MEMBERS:
        expected += weights[name] * getattr(fits[name], kind).predict(garch_history)
    np.testing.assert_allclose(stored.fitted.predict(garch_history), expected, rtol=0, atol=1e-12)
    np.testing.assert_array_equal(
        stored.predict(garch_history), stored.manifest.shrink * stored.fitted.predict(garch_history)
    )


@each_ensemble
def test_what_is_said_from_stored_predictions_is_what_the_members_fits_say(ensemble, combined, garch_history):
    trained = combined.fits[ensemble.name]
    said = answers(trained, garch_history, combined.said)
    for kind, fit in (("evaluated", trained.evaluated), ("final", trained.final)):
        is_said = np.isfinite(said[kind])
        assert is_said.sum() == {"evaluated": 63 + 64, "final": 1}[kind]
        np.testing.assert_array_equal(said[kind][is_said], fit.fitted.predict(garch_history)[is_said])


def test_equal_weights_are_the_plain_mean(fits, garch_history):
    published = [fits[name].final.predict(garch_history) for name in MEMBERS]
    raw = fits["ensemble_equal"].final.fitted.predict(garch_history)
    np.testing.assert_allclose(raw, np.mean(published, axis=0), rtol=0, atol=1e-12)


def test_inverse_error_weights_come_from_out_of_fold_rows_of_train_only(fits, garch_history, garch_splits):
    actual = garch_history.set_index("session")["target_log_return"]
    precision = {}
    for name in MEMBERS:
        rows = fits[name].evaluated.out_of_fold
        squares = [(row.predicted - actual[row.session]) ** 2 for row in rows.itertuples()]
        precision[name] = len(squares) / sum(squares)
    expected = {name: value / sum(precision.values()) for name, value in precision.items()}
    found = fits["ensemble_inverse_error"]
    assert found.evaluated.fitted.weights == pytest.approx(expected, rel=1e-12)
    # Validation and test rows select and report; the weights of the final fit are those that were evaluated.
    assert found.final.fitted.weights == found.evaluated.fitted.weights
    learned = set(garch_splits.loc[garch_splits["role"] == "train", "session"])
    for stored in (found.evaluated, found.final, fits["xgboost"].final):
        assert set(stored.out_of_fold["session"]) <= learned


def test_a_smaller_error_has_a_larger_weight_and_none_at_all_a_finite_one():
    rows = pd.DataFrame(
        {
            "random_forest": [0.0, 0.0, 0.0],
            "xgboost": [0.02, -0.04, 0.0],
            "actual": [0.01, -0.02, 0.01],
            "volatility": [0.01, 0.01, 0.01],
        }
    )
    forest, boosted = EnsembleInverseError().weights(rows)
    assert (forest, boosted) == pytest.approx((0.5, 0.5))  # both miss by squares of 1, 4 and 1 times 10⁻⁴
    forest, boosted = EnsembleInverseError().weights(rows.assign(xgboost=rows["actual"]))
    assert 0 < forest < 1e-6
    assert boosted == pytest.approx(1.0)


def test_what_a_fit_keeps_out_of_fold_is_what_its_intervals_were_calibrated_on(fits, garch_history):
    volatility = pd.Series(forecast_volatility(garch_history), index=garch_history["session"])
    for stored in (fits["xgboost"].evaluated, fits["ensemble_equal"].evaluated):
        rows = stored.out_of_fold
        assert rows["session"].is_monotonic_increasing
        np.testing.assert_array_equal(rows["volatility"], volatility[rows["session"]])
        scores = np.abs(rows["actual"] - rows["predicted"]) / rows["volatility"]
        np.testing.assert_allclose(np.sort(scores), np.sort(stored.calibration.scores))


def test_an_ensemble_is_shrunk_and_calibrated_on_the_sessions_its_members_share(fits):
    forest, boosted = (fits[name].evaluated for name in MEMBERS)
    fewer = replace(forest, out_of_fold=forest.out_of_fold.iloc[100:])  # as a model with fewer folds has
    shared = common_rows("ensemble_equal", [boosted, fewer])
    assert shared.index.tolist() == forest.out_of_fold["session"].tolist()[100:]
    np.testing.assert_array_equal(shared["random_forest"], fewer.out_of_fold["predicted"])
    np.testing.assert_array_equal(shared["xgboost"], boosted.out_of_fold["predicted"].iloc[100:])
    assert fits["ensemble_equal"].evaluated.manifest.shrinkage["n"] == len(forest.out_of_fold)
    kept = fits["ensemble_equal"].evaluated.out_of_fold
    mean = (forest.out_of_fold["predicted"] + boosted.out_of_fold["predicted"]) / 2
    shrink = fits["ensemble_equal"].evaluated.manifest.shrink
    np.testing.assert_allclose(kept["predicted"], shrink * mean, rtol=0, atol=1e-15)


def test_too_few_sessions_in_common_are_refused_with_both_numbers(fits):
    forest, boosted = (fits[name].evaluated for name in MEMBERS)
    fewer = replace(forest, out_of_fold=forest.out_of_fold.iloc[-59:])
    with pytest.raises(TooFewRows, match=r"ensemble_equal .* 59 out-of-fold sessions in common and needs 60 — train"):
        common_rows("ensemble_equal", [boosted, fewer])


@each_ensemble
def test_an_ensemble_comes_back_from_the_store_with_its_members(ensemble, fits, combined_store, garch_history):
    loaded = combined_store.load_current("GARCH", ensemble.name)
    for before, after in zip(
        (fits[ensemble.name].evaluated, fits[ensemble.name].final), (loaded.evaluated, loaded.final), strict=True
    ):
        assert after.manifest == before.manifest
        pd.testing.assert_frame_equal(after.out_of_fold, before.out_of_fold)
        np.testing.assert_array_equal(after.predict(garch_history), before.predict(garch_history))


def test_the_artifact_names_members_and_weights_in_plain_json(fits, combined_store):
    final = fits["ensemble_inverse_error"].final
    folder = combined_store.folder("GARCH", "ensemble_inverse_error", final.manifest.version)
    manifest = json.loads((folder / "manifest.json").read_text())
    assert manifest["parents"] == {name: fits[name].final.manifest.version for name in MEMBERS}
    assert json.loads((folder / "combination.json").read_text()) == {"weights": dict(final.fitted.weights)}
    assert {"combination.json", "out_of_fold.parquet", "calibration.json"} == manifest["files"].keys()


def test_a_changed_file_of_a_member_stops_the_ensemble_by_name(fits, combined_store):
    version = fits["xgboost"].final.manifest.version
    (combined_store.folder("GARCH", "xgboost", version) / "out_of_fold.parquet").write_bytes(b"")
    pattern = (
        rf"ensemble_equal \w+ combines xgboost {version}, which .*out_of_fold\.parquet was changed.* — train xgboost"
    )
    with pytest.raises(ArtifactMismatch, match=pattern):
        combined_store.load_current("GARCH", "ensemble_equal")
    assert not combined_store.verifies("GARCH", "ensemble_equal", fits["ensemble_equal"].final.manifest.version)


@each_ensemble
def test_a_second_run_combines_nothing_anew(ensemble, combine_again, fits):
    messages = []
    second = combine_again(ensemble(), progress=messages.append)
    words = [message.split()[0] for message in messages]
    assert [word for word in words if word != "without"] == ["evaluated", "final"]
    assert sum("in the store already" in message for message in messages) == 2
    assert second.final.manifest == fits[ensemble.name].final.manifest


def test_a_retrained_member_makes_a_new_ensemble(train_again, combine_again, fits):
    train_again(XGBoost(n_estimators=20, seed=1))
    new = combine_again(EnsembleEqual())
    before = fits["ensemble_equal"]
    assert new.evaluated.manifest.version != before.evaluated.manifest.version
    assert new.final.manifest.parents["random_forest"] == before.final.manifest.parents["random_forest"]
    assert new.final.manifest.parents["xgboost"] != before.final.manifest.parents["xgboost"]


def test_nothing_is_fitted_and_no_member_is_loaded(combined, combine_again, train_again, monkeypatch):
    train_again(XGBoost(n_estimators=20, seed=2))
    for model in (RandomForest, XGBoost):
        monkeypatch.setattr(model, "_fit", lambda *_: pytest.fail("a member was fitted again"))
    monkeypatch.setattr(RandomForest, "load", lambda *_: pytest.fail("a member was loaded"))
    said = combined.said[combined.said["model"] == "random_forest"]
    with pytest.raises(ArtifactMismatch, match="xgboost"):  # whose new fit has said nothing yet
        combine_again(EnsembleEqual(), said=combined.said)
    with pytest.raises(TooFewRows):
        combine_again(EnsembleEqual(), said=said)


def test_a_member_that_predicts_by_another_fit_now_is_refused_by_name(combined, garch_history):
    other = combined.said.assign(
        model_version=combined.said["model_version"].mask(combined.said["model"] == "xgboost", "retrained")
    )
    with pytest.raises(ArtifactMismatch, match=r"combines xgboost \w+, which is not the fit that predicts now — train"):
        answers(combined.fits["ensemble_equal"], garch_history, other)


def test_members_of_another_target_are_left_out_and_of_the_same_are_combined_as_they_are(
    train_again, combine_again, garch_history
):
    with pytest.raises(NotTrained, match=r"its fit \w+ learned log_return and not price"):
        combine_again(EnsembleEqual(target="price"))
    levels = {name: train_again(replace(member, target="price")) for name, member in MEMBERS.items()}
    combined = combine_again(EnsembleEqual(target="price")).final
    assert combined.manifest.target == "price"  # which the champion's rule leaves out
    assert combined.manifest.shrink == 1.0
    mean = sum(levels[name].final.predict(garch_history) for name in MEMBERS) / 2
    np.testing.assert_allclose(combined.predict(garch_history), mean, rtol=0, atol=1e-12)


@each_ensemble
def test_an_ensemble_predicts_like_any_other_model(ensemble, combined, garch_history, garch_splits):
    trained = combined.fits[ensemble.name]
    said = answers(trained, garch_history, combined.said)
    table = predict_all(trained, garch_history, garch_splits, ticker="GARCH", calendar="XNYS", answered=said)
    assert set(table["model"]) == {ensemble.name}
    assert table["role"].value_counts().to_dict() == {"validation": 63, "test": 64, "live": 1}
    assert table["model_version"].nunique() == 2
