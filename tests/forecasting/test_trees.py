"""What the tree models share and what each learns."""

import numpy as np
import pytest

from stock_assets.forecasting.errors import ArtifactMismatch
from stock_assets.forecasting.features import compute_features
from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.models._tabular import LAGS, training_table
from stock_assets.forecasting.models.random_forest import RandomForest
from stock_assets.forecasting.models.xgboost import XGBoost
from tests.synthetic import ar1_bars

each_tree = pytest.mark.parametrize("model", [RandomForest, XGBoost])


@pytest.fixture(scope="module")
def history():
    prices = ar1_bars("AR", 3000, seed=2, r_squared=0.1)
    return build_history(prices, compute_features(prices))


@each_tree
def test_a_planted_autoregression_is_recovered_out_of_sample(model, history):
    rows = slice(2400, -1)
    predicted = model().fit(history.iloc[:2400]).predict(history)[rows]
    actual = history["target_log_return"].to_numpy()[rows]
    oracle = np.sqrt(0.1) * history["log_return"].to_numpy()[rows]
    gain, best = (np.mean(actual**2) - np.mean((actual - guess) ** 2) for guess in (predicted, oracle))
    assert gain > 0.5 * best


@each_tree
def test_a_feature_the_history_no_longer_has_is_named(model, history):
    fitted = model.fast().fit(history.iloc[:500])
    with pytest.raises(ArtifactMismatch, match=r"fitted on features log_return_1, .* train the model again"):
        fitted.predict(history.drop(columns="log_return_1"))


def test_lags_are_counted_back_from_the_session_that_is_predicted(history):
    table = training_table(history, "price")
    close = history["adj_close"].to_numpy()
    first = max(LAGS) - 1  # the first row with twenty levels, its own included
    np.testing.assert_array_equal(table.inputs[0], [close[first + 1 - lag] for lag in LAGS])
    assert table.labels[0] == pytest.approx(close[first + 1])
    assert table.columns == tuple(f"adj_close_lag_{lag}" for lag in LAGS)


def test_rows_without_a_label_or_a_feature_are_not_learned_from(history):
    table = training_table(history, "log_return")
    assert len(table.labels) == len(history) - 60 - 1
    assert np.isfinite(table.inputs).all()
    np.testing.assert_array_equal(table.labels, history["log_return"].to_numpy()[61:])
