"""Methods of forecasting volatility: every entry is causal, and those with a formula agree with a plain one."""

import math
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.volatility import forecast_volatility
from stock_assets.forecasting.volatility_methods import METHODS, USED, har
from tests.synthetic import garch_bars

NO_FEATURES = pd.DataFrame({"session": pd.to_datetime([])})
EVERY = pytest.mark.parametrize("method", list(METHODS.values()), ids=list(METHODS))


@pytest.fixture(scope="module")
def history() -> pd.DataFrame:
    return build_history(garch_bars("GARCH", 420, seed=4), NO_FEATURES)


@EVERY
def test_there_is_a_positive_variance_for_every_row_after_the_first_months(method, history):
    variance = method(history)
    assert variance.index.equals(history.index)
    assert (variance.iloc[60:] > 0).all()


@EVERY
@given(cut=st.integers(2, 420))
@settings(max_examples=25, deadline=None, derandomize=True)
def test_a_value_from_data_cut_at_its_row_is_equal_bit_for_bit(method, history, cut):
    known = history.head(cut).assign(target_log_return=lambda rows: rows["log_return"].shift(-1))
    np.testing.assert_array_equal(method(known), method(history).iloc[:cut])


@EVERY
def test_input_is_unchanged(method, history):
    before = history.copy()
    method(history)
    pd.testing.assert_frame_equal(history, before)


def test_the_method_in_use_is_the_one_that_scales_the_intervals(history):
    np.testing.assert_array_equal(np.sqrt(METHODS[USED](history)), forecast_volatility(history))


def garman_klass(history):
    """Of each session from the second on, by plain numbers."""
    found = []
    for before, bar in pairwise(history.to_dict("records")):
        day, whole = math.log(bar["close"] / bar["open"]), math.log(bar["adj_close"] / before["adj_close"])
        spread = math.log(bar["high"] / bar["low"])
        found.append((whole - day) ** 2 + max(0.0, 0.5 * spread**2 - (2 * math.log(2) - 1) * day**2))
    return [math.nan, *found]


def parkinson(history):
    found = []
    for before, bar in pairwise(history.to_dict("records")):
        day, whole = math.log(bar["close"] / bar["open"]), math.log(bar["adj_close"] / before["adj_close"])
        found.append((whole - day) ** 2 + math.log(bar["high"] / bar["low"]) ** 2 / (4 * math.log(2)))
    return [math.nan, *found]


@pytest.mark.parametrize(
    ("name", "of_session"),
    [("ewma", lambda history: (history["log_return"] ** 2).tolist()), ("ewma_parkinson", parkinson)],
)
def test_a_moving_average_agrees_with_a_plain_loop(name, of_session, history):
    t, variances = 211, of_session(history)
    weights = [0.94 ** (t - row) for row in range(1, t + 1)]
    expected = sum(w * v for w, v in zip(weights, variances[1 : t + 1], strict=True)) / sum(weights)
    assert METHODS[name](history)[t] == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize("row", [60, 80, 81, 100, 350])
def test_har_agrees_with_statsmodels_on_the_rows_known_at_its_last_fit(row, history):
    variance = pd.Series(garman_klass(history))

    def inputs(of):
        means = [variance[max(1, of - n + 1) : of + 1].mean() if n > 1 else variance[of] for n in (1, 5, 22)]
        return [1.0, *np.log(means)]

    fitted_at = 60 + (row - 60) // 21 * 21
    x = np.array([inputs(of) for of in range(1, fitted_at)])
    y = np.log(variance[2 : fitted_at + 1].to_numpy())
    fit = sm.OLS(y, x).fit()
    expected = np.exp(fit.predict([inputs(row)])[0]) * np.exp(fit.resid).mean()
    assert har(history)[row] == pytest.approx(expected, rel=1e-6)


def test_a_stock_that_stands_still_has_a_forecast_all_the_same(history):
    still = history.assign(open=5.0, high=5.0, low=5.0, close=5.0, log_return=0.0, target_log_return=0.0)
    assert np.isfinite(har(still).iloc[60:]).all()
