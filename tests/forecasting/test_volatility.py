"""Forecast volatility: causal, positive, and better than what it is compared with."""

import math
from datetime import UTC, date, datetime
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.metrics import qlike
from stock_assets.forecasting.volatility import DECAYS, FLOOR, MIN_ROWS, forecast_volatility, session_variance
from stock_assets.sources.sample import SampleSource
from tests.synthetic import garch_bars, random_walk_bars

NO_FEATURES = pd.DataFrame({"session": pd.to_datetime([])})


def history_of(prices: pd.DataFrame) -> pd.DataFrame:
    return build_history(prices, NO_FEATURES)


@pytest.fixture(scope="module")
def history() -> pd.DataFrame:
    return history_of(garch_bars("GARCH", 600, seed=4))


def test_it_agrees_with_a_plain_loop(history: pd.DataFrame) -> None:
    bars = history.to_dict("records")
    variances = [math.nan]
    for before, bar in pairwise(bars):
        overnight = math.log(bar["open"] * bar["adj_close"] / bar["close"]) - math.log(before["adj_close"])
        high, low = math.log(bar["high"] / bar["open"]), math.log(bar["low"] / bar["open"])
        close = math.log(bar["close"] / bar["open"])
        variances.append(overnight**2 + 0.5 * (high - low) ** 2 - (2 * math.log(2) - 1) * close**2)
    t = 321
    means = []
    for decay in DECAYS:
        weights = [decay ** (t - i) for i in range(1, t + 1)]
        means.append(sum(w * v for w, v in zip(weights, variances[1 : t + 1], strict=True)) / sum(weights))
    assert forecast_volatility(history)[t] == pytest.approx(math.sqrt(sum(means) / 4), rel=1e-9)


@given(cut=st.integers(1, 600))
@settings(max_examples=30, deadline=None, derandomize=True)
def test_a_value_from_data_cut_at_its_row_is_equal_bit_for_bit(history: pd.DataFrame, cut: int) -> None:
    np.testing.assert_array_equal(forecast_volatility(history.head(cut)), forecast_volatility(history)[:cut])


def test_it_is_missing_before_enough_returns_and_positive_ever_after(history: pd.DataFrame) -> None:
    volatility = forecast_volatility(history)
    assert np.isnan(volatility[:MIN_ROWS]).all()
    assert np.isfinite(volatility[MIN_ROWS:]).all()
    assert (volatility[MIN_ROWS:] >= FLOOR).all()


def test_a_stock_that_stands_still_keeps_the_floor() -> None:
    bars = random_walk_bars("HALT", 50, seed=0)
    flat = bars.assign(**dict.fromkeys(("open", "high", "low", "close", "adj_close"), 50.0))
    assert (forecast_volatility(history_of(flat))[MIN_ROWS:] == FLOOR).all()


def test_bars_that_hold_only_closes_fall_back_to_squared_returns() -> None:
    bars = random_walk_bars("CLOSES", 50, seed=0)
    history = history_of(bars.assign(open=bars["close"], high=bars["close"], low=bars["close"]))
    assert session_variance(history)[1:].to_numpy() == pytest.approx(history["log_return"][1:].to_numpy() ** 2)


def test_a_split_adjusted_dividend_is_no_volatility() -> None:
    """The price falls by the dividend overnight, the adjusted return does not."""
    bars = random_walk_bars("DIV", 60, seed=0, volatility=0.001)
    paid = np.where(np.arange(60) < 30, 1.0, 0.9)
    numbers = ["open", "high", "low", "close"]
    after = bars.assign(**{name: bars[name] * paid for name in numbers}, adj_close=bars["close"] * 0.9)
    np.testing.assert_allclose(forecast_volatility(history_of(after)), forecast_volatility(history_of(bars)), rtol=1e-9)


def test_on_garch_returns_it_beats_a_constant() -> None:
    """Synthetic bars have 24 intraday steps, which makes every range a little narrow: scaled to the returns."""
    history = history_of(garch_bars("GARCH", 4000, seed=9, alpha=0.1, beta=0.88))
    squared = history["target_log_return"].to_numpy()[100:-1] ** 2
    ours = forecast_volatility(history)[100:-1]
    ours = ours * np.sqrt(np.mean(squared / ours**2))
    constant = np.full(len(squared), np.sqrt(squared.mean()))
    assert qlike(squared, ours) < qlike(squared, constant) - 0.05


@pytest.mark.parametrize("ticker", ["AAPL", "IBM", "MSFT", "GOOG"])
def test_on_real_bars_it_beats_the_ewma_of_squared_returns(ticker: str) -> None:
    """2009 to 2013, which played no part in choosing it (docs/adr/0022). RiskMetrics' decay."""
    bars = SampleSource().fetch(ticker, date(2000, 3, 1), date(2013, 3, 1), now=datetime(2026, 1, 5, tzinfo=UTC)).frame
    history = history_of(bars)
    is_later = ((history["session"] >= "2009-01-01") & history["target_log_return"].notna()).to_numpy()
    squared = history["target_log_return"].to_numpy()[is_later] ** 2
    ewma = np.sqrt((history["log_return"] ** 2).ewm(alpha=0.06).mean().to_numpy())
    assert qlike(squared, forecast_volatility(history)[is_later]) < qlike(squared, ewma[is_later])


def test_input_is_unchanged(history: pd.DataFrame) -> None:
    before = history.copy()
    forecast_volatility(history)
    pd.testing.assert_frame_equal(history, before)
