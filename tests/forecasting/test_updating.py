"""A day's predictions: what holds is kept, the rest is predicted, and the result is that of predicting everything."""

import numpy as np
import pandas as pd
import pytest

from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.forecasting.errors import ArtifactMismatch
from stock_assets.forecasting.features import compute_features
from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.manifest import bars_versions
from stock_assets.forecasting.models.lstm_pytorch import LstmPytorch
from stock_assets.forecasting.models.xgboost import XGBoost
from stock_assets.forecasting.predictions import predict_all
from stock_assets.forecasting.splits import holdout_splits
from stock_assets.forecasting.training import train
from stock_assets.forecasting.units import drive
from stock_assets.forecasting.updating import updating
from tests.forecasting.conftest import NOW


def history_of(prices):
    return build_history(prices, compute_features(prices))


def everything(trained, history, splits):
    return predict_all(trained, history, splits, ticker="GARCH", calendar="XNYS")


def update(stored, history, splits, store, model="xgboost"):
    return drive(updating(stored, history, splits, ticker="GARCH", model=model, calendar="XNYS", store=store))


@pytest.fixture(scope="module")
def before(garch_prices, tmp_path_factory):
    """Three sessions ago: splits, and fits of a small tree model and a small network, in a store."""
    store = ArtifactStore(tmp_path_factory.mktemp("before"))
    history = history_of(garch_prices.iloc[:697])
    splits = holdout_splits(compute_features(garch_prices.iloc[:697]))
    for forecaster in (XGBoost(n_estimators=20), LstmPytorch.fast(max_epochs=1)):
        train(forecaster, history, splits, ticker="GARCH", store=store, now=lambda: NOW)
    return history, splits, store


def test_where_all_holds_nothing_is_asked_and_nothing_changes(boosted, garch_history, garch_splits):
    trained, store = boosted
    stored = everything(trained, garch_history, garch_splits)
    updated = update(stored, garch_history, garch_splits, store)
    assert (updated.n_asked, updated.n_outdated) == (0, 0)
    pd.testing.assert_frame_equal(updated.predictions, stored)


@pytest.mark.parametrize("days", [1, 3])
def test_new_sessions_alone_are_asked_and_come_out_as_if_all_had_been(days, before, garch_prices):
    then, splits, store = before
    trained = store.load_current("GARCH", "xgboost")
    history = history_of(garch_prices.iloc[: 697 + days])
    updated = update(everything(trained, then, splits), history, splits, store)
    assert (updated.n_asked, updated.n_outdated) == (days, 0)
    pd.testing.assert_frame_equal(updated.predictions, everything(trained, history, splits))
    live = updated.predictions[updated.predictions["role"] == "live"]
    assert live["actual"].notna().sum() == days


def test_a_network_is_shown_no_more_than_its_context_and_says_the_same(before, garch_prices):
    then, splits, store = before
    trained = store.load_current("GARCH", "lstm_pytorch")
    history = history_of(garch_prices.iloc[:699])
    updated = update(everything(trained, then, splits), history, splits, store, "lstm_pytorch")
    assert updated.n_asked == 2
    pd.testing.assert_frame_equal(updated.predictions, everything(trained, history, splits), atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(("row", "holds"), [(699, True), (650, False)])
def test_rows_from_a_changed_bar_on_are_made_again_and_no_earlier_one(
    row, holds, boosted, garch_history, garch_prices, garch_splits
):
    trained, store = boosted
    stored = everything(trained, garch_history, garch_splits)
    revised = garch_prices.copy()
    revised.loc[row, "volume"] *= 2
    history = history_of(revised)
    updated = update(stored, history, garch_splits, store)
    later = stored["session"] >= garch_prices["session"].iloc[row]
    assert updated.n_outdated == later.sum() > 0
    pd.testing.assert_frame_equal(updated.predictions, everything(trained, history, garch_splits))
    n_scored = len(garch_splits[garch_splits["role"].isin(["validation", "test"])])
    n_live = int(stored["role"].eq("live").sum())
    # The last scored session lies before row 699, so only the live one is asked about again.
    assert updated.n_asked == (n_live if holds else n_scored + n_live)


def test_rows_of_another_fit_or_of_unknown_bars_are_made_again(boosted, garch_history, garch_splits):
    trained, store = boosted
    stored = everything(trained, garch_history, garch_splits)
    for other in (
        stored.assign(model_version="another", predicted_log_return=0.5),
        stored.assign(bars_version=None, predicted_log_return=0.5),
        stored.iloc[:0],
        stored.iloc[1:],
    ):
        updated = update(other, garch_history, garch_splits, store)
        pd.testing.assert_frame_equal(updated.predictions, stored)


def test_an_outcome_that_a_corrected_bar_changed_is_written_again(boosted, garch_history, garch_prices, garch_splits):
    trained, store = boosted
    stored = everything(trained, garch_history, garch_splits)
    last = stored[stored["role"] == "test"]["session"].max()
    after = garch_prices.index[garch_prices["session"] > last][0]
    corrected = garch_prices.copy()
    corrected.loc[after, "adj_close"] *= 1.01  # the outcome of the last scored session, which it was not made from
    history = history_of(corrected)
    updated = update(stored, history, garch_splits, store)
    pd.testing.assert_frame_equal(updated.predictions, everything(trained, history, garch_splits))


def test_a_model_that_was_never_trained_is_refused_with_the_cure(boosted, garch_history, garch_splits):
    with pytest.raises(ArtifactMismatch, match=r"no sarima has been trained for GARCH .* — train"):
        update(pd.DataFrame(), garch_history, garch_splits, boosted[1], "sarima")


def test_the_hash_of_bars_tells_every_history_from_every_other(garch_prices):
    versions = bars_versions(garch_prices)
    assert len(set(versions.tolist())) == len(garch_prices)
    np.testing.assert_array_equal(bars_versions(garch_prices.iloc[:400]), versions[:400])
    for column in ("open", "high", "low", "close", "adj_close", "volume", "dividends", "stock_splits"):
        changed = garch_prices.copy()
        changed.loc[300, column] = changed.loc[300, column] + 1e-9 if changed[column].notna().all() else 0.25
        found = bars_versions(changed)
        np.testing.assert_array_equal(found[:300], versions[:300])
        assert not (found[300:] == versions[300:]).any()
    swapped = garch_prices.rename(columns={"high": "low", "low": "high"})
    assert not (bars_versions(swapped) == versions).any()
