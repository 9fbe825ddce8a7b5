"""Provenance proofs on trained models: scales, calibration and the end of training, with a planted fault in each."""

from dataclasses import replace
from datetime import UTC, datetime

import numpy as np
import pytest

from stock_assets.forecasting.fit_provenance import examine_calibration, examine_scales, examine_training_end
from stock_assets.forecasting.models._network import NetworkFitted
from stock_assets.forecasting.models._windows import MinMaxScaler, cut_windows
from stock_assets.forecasting.predictions import predict_all
from tests.forecasting.evidence import NO_FOLDS, fits_of, folds_on
from tests.forecasting.scored import predictions_of

NOW = datetime(2026, 1, 5, 22, tzinfo=UTC)


@pytest.fixture(scope="module")
def predictions(boosted, garch_splits, garch_history):
    return predict_all(boosted[0], garch_history, garch_splits, ticker="GARCH", calendar="XNYS")


@pytest.mark.slow
def test_the_scalers_of_a_network_are_those_of_its_training_rows(network, garch_history) -> None:
    scales = examine_scales(fits_of(network), garch_history)
    assert (scales.passed, scales.statistic) == (True, 0.0)
    assert scales.message == "4 scales are those of the training rows alone"
    assert examine_calibration(fits_of(network), garch_history).passed


@pytest.mark.slow
def test_a_scaler_fitted_on_all_rows_is_caught_by_name(network, garch_history) -> None:
    honest = network.evaluated
    everything = MinMaxScaler.fit(cut_windows(garch_history, honest.fitted.forecaster.window, "log_return"))
    kept = honest.fitted.unpacked
    leaky = NetworkFitted(kept.forecaster, kept.weights, everything, kept.output, kept.losses)
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
    fitted = evaluated.fitted.forecaster.fit(garch_history.iloc[:500])
    foreign = replace(evaluated, fitted=replace(fitted, forecaster=walk.evaluated.fitted.forecaster))
    found = examine_scales([foreign], garch_history)
    assert not found.passed
    assert "the evaluated fit holds label" in found.message


def test_a_fit_that_ends_after_what_it_predicts_is_caught(boosted, predictions, garch_history) -> None:
    trained, session = boosted[0], garch_history["session"]
    assert examine_training_end(fits_of(trained), NO_FOLDS, predictions, session).passed
    late = replace(trained.evaluated, manifest=replace(trained.evaluated.manifest, train_end="2012-06-01"))
    found = examine_training_end([trained.final, late], NO_FOLDS, predictions, session)
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
