"""Look-ahead proofs: honest features and predictions stay as they are, and a planted leak is caught by name."""

import numpy as np
import pandas as pd
import pytest

from stock_assets.forecasting import features as features_module
from stock_assets.forecasting.features import Feature, compute_features
from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.lookahead import cuts, examine_features, examine_predictions
from tests.forecasting.evidence import by_name, fits_of


@pytest.fixture(scope="module")
def places(garch_prices):
    return cuts(garch_prices)


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


@pytest.mark.slow
def test_a_network_passes_within_its_rounding(network, garch_history, places) -> None:
    found = by_name(examine_predictions(fits_of(network), garch_history, places))
    assert all(one.passed and one.limit == 1e-6 for one in found.values())


def test_a_session_that_only_one_side_has_is_caught(garch_features, places) -> None:
    found = by_name(examine_features(garch_features.drop(index=10), places))
    assert not found["features_truncated"].passed
    assert found["features_truncated"].statistic == float("inf")
