"""What the tree models share and what each learns."""

import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.ensemble import RandomForestRegressor

from stock_assets.forecasting.errors import ArtifactMismatch
from stock_assets.forecasting.features import compute_features
from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.models._tabular import LAGS, training_table
from stock_assets.forecasting.models.random_forest import RandomForest, Trees
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


LOG_RETURN_SETTINGS = {
    RandomForest: {"n_estimators": 200, "max_depth": 4, "min_leaf_share": 0.05, "max_features": 0.33},
    XGBoost: {
        "n_estimators": 150,
        "max_depth": 2,
        "learning_rate": 0.03,
        "min_child_rows": 40,
        "subsample": 0.5,
        "colsample": 0.5,
        "reg_lambda": 10.0,
    },
}


@each_tree
def test_the_reference_formulation_brings_its_own_settings_and_leaves_the_default_ones_alone(model):
    assert model().settings() == {"seed": 0, "target": "log_return", **LOG_RETURN_SETTINGS[model]}
    price = model(target="price")
    assert all(price.settings()[name] != value for name, value in LOG_RETURN_SETTINGS[model].items())
    assert model(**price.settings()) == price


@each_tree
def test_a_setting_that_is_given_wins_over_the_one_of_its_target(model):
    assert model(target="price", max_depth=3).max_depth == 3
    assert model(max_depth=3).settings() == {**model().settings(), "max_depth": 3}


def test_price_settings_are_the_library_s_own():
    from sklearn.ensemble import RandomForestRegressor
    from xgboost import DMatrix, train

    forest = RandomForestRegressor().get_params()
    ours = RandomForest(target="price")
    assert (ours.n_estimators, ours.max_features) == (forest["n_estimators"], forest["max_features"])
    assert (ours.max_depth or None, ours.min_leaf_share or 1) == (forest["max_depth"], forest["min_samples_leaf"])
    rng = np.random.default_rng(3)
    rows = DMatrix(rng.standard_normal((200, 4)), label=rng.standard_normal(200))
    untouched = train({"base_score": 0.0}, rows, num_boost_round=3).predict(rows)
    given = {**XGBoost(target="price")._parameters(), "base_score": 0.0}
    np.testing.assert_array_equal(train(given, rows, num_boost_round=3).predict(rows), untouched)


@each_tree
def test_the_reference_formulation_follows_the_levels_it_has_seen(model, history):
    learned = history.iloc[:1000]
    fitted = model(target="price").fit(learned)
    errors = fitted.predict(learned)[20:] - learned["target_log_return"].to_numpy()[20:]
    # Library-like settings know their training rows nearly by heart; held back ones miss levels by several per cent.
    assert np.sqrt(np.mean(errors**2)) < 0.01


def test_a_forest_says_as_arrays_what_scikit_learn_says_to_the_last_bit(garch_history, tmp_path):
    for settings in ({}, {"target": "price"}):
        forecaster = RandomForest(n_estimators=20, **settings)
        table = training_table(garch_history.iloc[:500], forecaster.target)
        frame = pd.DataFrame(table.inputs, columns=list(table.columns))
        theirs = RandomForestRegressor(
            n_estimators=20,
            max_depth=forecaster.max_depth or None,
            min_samples_leaf=forecaster.min_leaf_share or 1,
            max_features=forecaster.max_features,
            random_state=0,
        ).fit(frame, table.labels)
        ours = Trees.of(theirs)
        np.testing.assert_array_equal(ours.predict(table.inputs), theirs.predict(frame))
        np.testing.assert_array_equal(ours.predict(table.inputs[-1:]), theirs.predict(frame[-1:]))
        # A fit from before forests were plain arrays has scikit-learn's own, written with skops.
        skops.io.dump(theirs, tmp_path / "model.skops")
        older = RandomForest.load(tmp_path, forecaster.settings())
        new = forecaster.fit(garch_history.iloc[:500])
        np.testing.assert_array_equal(older.predict(garch_history), new.predict(garch_history))
