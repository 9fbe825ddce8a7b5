"""Windows, scaling and splitting, each against a plain loop or a formula of its own."""

import json
import math

import numpy as np
import pandas as pd
import pytest

from stock_assets.forecasting.models._windows import (
    INPUTS,
    MinMaxScaler,
    cut_windows,
    labels,
    split_for_stopping,
    to_log_return,
)
from tests.synthetic import garch_bars


@pytest.fixture(scope="module")
def bars() -> pd.DataFrame:
    prices = garch_bars("GARCH", 90, seed=11)
    prices["adj_close"] = prices["close"] * np.linspace(0.9, 1.0, len(prices))
    return prices.assign(target_log_return=np.log(prices["adj_close"]).diff().shift(-1))


def test_every_relative_window_equals_a_plain_loop(bars):
    windows = cut_windows(bars, 60, "log_return")
    assert windows.shape == (31, 60, 6)
    for number in range(31):
        rows = bars.iloc[number : number + 60]
        last, mean_volume = rows.iloc[-1], sum(rows["volume"]) / 60
        for step, (_, row) in enumerate(rows.iterrows()):
            expected = [math.log(row[name] / last["close"]) for name in ("open", "high", "low", "close")]
            expected += [math.log(row["adj_close"] / last["adj_close"]), math.log(row["volume"] / mean_volume)]
            np.testing.assert_allclose(windows[number, step], expected, rtol=1e-12, atol=1e-14)


def test_windows_for_price_levels_are_the_bars_themselves(bars):
    windows = cut_windows(bars, 60, "price")
    for number in range(31):
        np.testing.assert_array_equal(windows[number], bars[list(INPUTS)].to_numpy()[number : number + 60])


@pytest.mark.parametrize("target", ["log_return", "price"])
def test_a_history_shorter_than_the_window_has_no_window(bars, target):
    assert cut_windows(bars.head(59), 60, target).shape == (0, 60, 6)
    assert cut_windows(bars.head(60), 60, target).shape == (1, 60, 6)


@pytest.mark.parametrize("target", ["log_return", "price"])
def test_windows_of_a_cut_history_are_bit_for_bit_those_of_the_whole(bars, target):
    np.testing.assert_array_equal(cut_windows(bars.head(70), 60, target), cut_windows(bars, 60, target)[:11])


def test_a_restated_dividend_or_split_changes_no_relative_input(bars):
    restated = bars.assign(adj_close=bars["adj_close"] * 0.97, volume=bars["volume"] * 4)
    for name in ("open", "high", "low", "close"):
        restated[name] = restated[name] / 4
    np.testing.assert_allclose(cut_windows(restated, 60, "log_return"), cut_windows(bars, 60, "log_return"), atol=1e-12)


def test_sessions_without_volume_have_finite_inputs(bars):
    volume = bars["volume"].to_numpy().copy()
    volume[5] = 0
    some = cut_windows(bars.assign(volume=volume), 60, "log_return")
    assert some[0, 5, 5] == pytest.approx(math.log(0.01))
    none = cut_windows(bars.assign(volume=0), 60, "log_return")
    np.testing.assert_array_equal(none[:, :, 5], 0.0)


def test_a_label_is_the_next_session_and_comes_back_as_its_log_return(bars):
    np.testing.assert_array_equal(labels(bars, "log_return"), bars["target_log_return"])
    levels = labels(bars, "price")
    np.testing.assert_allclose(levels[:-1], bars["adj_close"].to_numpy()[1:])
    adj_close = bars["adj_close"].to_numpy()
    np.testing.assert_allclose(to_log_return(levels, adj_close, "price"), bars["target_log_return"], atol=1e-12)
    np.testing.assert_array_equal(to_log_return(levels, adj_close, "log_return"), levels)


def test_a_level_at_or_below_zero_is_a_large_fall_and_not_an_error():
    fall = to_log_return(np.array([0.0, -5.0]), np.array([100.0, 100.0]), "price")
    np.testing.assert_allclose(fall, math.log(0.01))


def test_the_scaler_maps_each_column_to_zero_and_one_and_back():
    values = np.array([[1.0, 50.0, 7.0], [3.0, 10.0, 7.0], [2.0, 30.0, 7.0]])
    scaler = MinMaxScaler.fit(values)
    np.testing.assert_allclose(scaler.scale(values), [[0, 1, 0], [1, 0, 0], [0.5, 0.5, 0]])
    np.testing.assert_allclose(scaler.restore(scaler.scale(values)), values)


def test_scaler_parameters_survive_json_exactly(bars):
    windows = cut_windows(bars, 60, "log_return")
    scaler = MinMaxScaler.fit(windows)
    read = MinMaxScaler.from_json(json.loads(json.dumps(scaler.to_json())))
    np.testing.assert_array_equal(read.scale(windows), scaler.scale(windows))


@pytest.mark.parametrize("n_windows", [3, 9, 121, 949])
def test_the_last_tenth_is_kept_for_stopping_and_one_window_before_it_is_left_out(n_windows):
    learning, stopping = split_for_stopping(n_windows)
    rows = list(range(n_windows))
    assert rows[stopping][-1] == n_windows - 1
    assert rows[stopping][0] - rows[learning][-1] == 2
    assert len(rows[stopping]) == max(n_windows // 10, 1)
