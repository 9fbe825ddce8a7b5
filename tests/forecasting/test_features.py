"""Features: each against a plain loop of its own, and none looks ahead."""

import math
from collections.abc import Callable
from dataclasses import replace

import duckdb
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stock_assets.forecasting import features as module
from stock_assets.forecasting.errors import TooFewRows
from stock_assets.forecasting.features import (
    FEATURES,
    WARM_UP,
    compute_features,
    features_sql,
    features_version,
)
from stock_assets.forecasting.history import build_history
from storage.tables import FEATURES_TABLE
from tests.synthetic import ar1_bars, garch_bars, random_walk_bars

NAMES = [feature.name for feature in FEATURES]
Bars = list[dict[str, float]]


def adjusted(bars: Bars, t: int) -> float:
    return math.log(bars[t]["adj_close"])


def ret(bars: Bars, t: int) -> float:
    return adjusted(bars, t) - adjusted(bars, t - 1)


def rms(values: list[float]) -> float:
    return math.sqrt(sum(value * value for value in values) / len(values))


def back(n: int, t: int) -> range:
    """The current row and the n - 1 before it."""
    return range(t - n + 1, t + 1)


def relative_strength(bars: Bars, t: int) -> float:
    moves = [ret(bars, i) for i in back(14, t)]
    total = sum(abs(move) for move in moves)
    return sum(move for move in moves if move > 0) / total if total else 0.5


def range_position(bars: Bars, t: int) -> float:
    high, low, close = bars[t]["high"], bars[t]["low"], bars[t]["close"]
    return (close - low) / (high - low) if high > low else 0.5


def relative_volume(bars: Bars, t: int) -> float:
    mean = sum(bars[i]["volume"] for i in back(20, t)) / 20
    return bars[t]["volume"] / mean if mean else 1.0


ORACLES: dict[str, Callable[[Bars, int], float]] = {
    **{f"log_return_{n}": lambda bars, t, n=n: adjusted(bars, t) - adjusted(bars, t - n) for n in (1, 2, 5, 10, 20)},
    **{f"volatility_{n}": lambda bars, t, n=n: rms([ret(bars, i) for i in back(n, t)]) for n in (5, 20, 60)},
    "range_volatility_20": lambda bars, t: math.sqrt(
        sum(math.log(bars[i]["high"] / bars[i]["low"]) ** 2 for i in back(20, t)) / 20 / (4 * math.log(2))
    ),
    "gap": lambda bars, t: math.log(
        (bars[t]["open"] * bars[t]["adj_close"] / bars[t]["close"]) / bars[t - 1]["adj_close"]
    ),
    "range_position": range_position,
    "mean_distance_60": lambda bars, t: adjusted(bars, t) - sum(adjusted(bars, i) for i in back(60, t)) / 60,
    "relative_strength_14": relative_strength,
    "relative_volume_20": relative_volume,
}


@pytest.fixture(scope="module")
def dividend_prices() -> pd.DataFrame:
    """Bars whose adjusted close differs from the close: two dividends and odd volumes."""
    bars = garch_bars("DIV", 260, seed=3)
    factor = np.where(np.arange(260) < 90, 0.95, np.where(np.arange(260) < 170, 0.98, 1.0))
    return bars.assign(adj_close=bars["close"] * factor, volume=bars["volume"] / 7)


@pytest.mark.parametrize("name", NAMES)
def test_every_feature_agrees_with_a_plain_loop(name: str, dividend_prices: pd.DataFrame) -> None:
    bars = dividend_prices.to_dict("records")
    expected = [ORACLES[name](bars, t) for t in range(WARM_UP, len(bars))]
    found = compute_features(dividend_prices)[name].tolist()
    assert found == pytest.approx(expected, rel=1e-9, abs=1e-12)


def test_the_target_is_the_next_sessions_log_return(dividend_prices: pd.DataFrame) -> None:
    features = compute_features(dividend_prices)
    bars = dividend_prices.to_dict("records")
    expected = [ret(bars, t + 1) for t in range(WARM_UP, len(bars) - 1)]
    assert features["target_log_return"].tolist()[:-1] == pytest.approx(expected, abs=1e-12)
    assert features["target_session"].tolist()[:-1] == [bar["session"] for bar in bars[WARM_UP + 1 :]]
    assert features[["target_session", "target_log_return"]].iloc[-1].isna().all()


def test_the_frame_has_the_columns_of_the_contract_and_no_warm_up(garch_prices: pd.DataFrame) -> None:
    features = compute_features(garch_prices)
    assert tuple(features.columns) == FEATURES_TABLE.column_names
    assert features["session"].tolist() == garch_prices["session"].tolist()[WARM_UP:]
    assert features["session"].dtype == features["target_session"].dtype == "datetime64[ns]"


def test_lookbacks_fit_the_warm_up_and_are_true(garch_prices: pd.DataFrame) -> None:
    """A bar `lookback` sessions back matters, or at least none before it does."""
    full = compute_features(garch_prices).iloc[-1]
    for feature in FEATURES:
        assert feature.lookback <= WARM_UP, feature.name
        older = garch_prices.index < len(garch_prices) - 1 - feature.lookback
        numbers = ["open", "high", "low", "close", "adj_close", "volume"]
        changed = garch_prices.copy()
        changed.loc[older, numbers] *= 3.0
        assert compute_features(changed).iloc[-1][feature.name] == full[feature.name], feature.name


@given(cut=st.integers(WARM_UP + 1, 400), seed=st.integers(0, 5))
@settings(max_examples=15, deadline=None, derandomize=True)
def test_features_of_a_session_from_data_cut_there_are_equal_bit_for_bit(cut: int, seed: int) -> None:
    """Truncation invariance, with other tickers beside it whose rows shift every window in the engine."""
    names = ("AAA", "BBB", "CCC", "DDD", "EEE")
    prices = pd.concat([garch_bars(name, 400 - 7 * i, seed=seed + i) for i, name in enumerate(names)])
    last = prices["session"].sort_values().unique()[cut - 1]
    whole = compute_features(prices)
    part = compute_features(prices[prices["session"] <= last])
    expected = whole[whole["session"] <= last].reset_index(drop=True)
    pd.testing.assert_frame_equal(
        part[["ticker", "session", *NAMES]], expected[["ticker", "session", *NAMES]], rtol=0, atol=0
    )


def test_features_do_not_depend_on_other_tickers_row_order_or_threads() -> None:
    prices = pd.concat([garch_bars(f"T{i}", 150 + 13 * i, seed=i) for i in range(12)])
    together = compute_features(prices.sample(frac=1, random_state=0))
    alone = pd.concat([compute_features(part) for _, part in prices.groupby("ticker")], ignore_index=True)
    exact = {"rtol": 0, "atol": 0}
    pd.testing.assert_frame_equal(together, alone.sort_values(["ticker", "session"], ignore_index=True), **exact)


def test_what_comes_later_moves_nothing(garch_prices: pd.DataFrame) -> None:
    later = garch_prices["session"] > garch_prices["session"].iloc[400]
    numbers = ["open", "high", "low", "close", "adj_close", "volume"]
    perturbed = garch_prices.assign(
        **{name: garch_prices[name].mask(later, garch_prices[name] * 1.7) for name in numbers}
    )
    n = 401 - WARM_UP
    pd.testing.assert_frame_equal(
        compute_features(garch_prices)[NAMES].head(n), compute_features(perturbed)[NAMES].head(n), rtol=0, atol=0
    )


def test_bars_that_stand_still_give_finite_values_of_the_documented_kind() -> None:
    """An index without volume, or a halted stock: no range, no move, nothing traded."""
    bars = random_walk_bars("^HALT", 100, seed=0)
    flat = bars.assign(**dict.fromkeys(("open", "high", "low", "close", "adj_close"), 50.0), volume=0.0)
    last = compute_features(flat).iloc[-1]
    assert np.isfinite(last[NAMES].astype(float)).all()
    assert last["range_position"] == last["relative_strength_14"] == 0.5
    assert last["relative_volume_20"] == 1
    assert last["volatility_20"] == last["range_volatility_20"] == last["mean_distance_60"] == 0


def test_a_fall_of_half_and_prices_of_any_size_are_no_problem() -> None:
    bars = garch_bars("BIG", 120, seed=1)
    scale = np.where(np.arange(120) < 80, 1e7, 0.5e7)
    numbers = ["open", "high", "low", "close", "adj_close"]
    features = compute_features(bars.assign(**{name: bars[name] * scale for name in numbers}, volume=1e13))
    assert np.isfinite(features[NAMES].to_numpy()).all()


def test_the_same_sql_reads_parquet(garch_prices: pd.DataFrame, tmp_path: pytest.TempPathFactory) -> None:
    source, target = tmp_path / "prices.parquet", tmp_path / "features.parquet"
    garch_prices.to_parquet(source)
    with duckdb.connect() as connection:
        sql = features_sql(f"read_parquet('{source}')")
        connection.execute(f"COPY ({sql} ORDER BY ticker, session) TO '{target}' (FORMAT parquet)")
    stored = pd.read_parquet(target)
    pd.testing.assert_frame_equal(stored[NAMES], compute_features(garch_prices)[NAMES], rtol=0, atol=0)


def test_a_short_ticker_has_no_row_and_the_others_are_unaffected() -> None:
    prices = pd.concat([garch_bars("LONG", 100, seed=1), garch_bars("SHORT", WARM_UP, seed=2)])
    assert set(compute_features(prices)["ticker"]) == {"LONG"}


def test_a_ticker_with_too_few_sessions_is_named_with_both_numbers() -> None:
    with pytest.raises(
        TooFewRows, match=f"SHORT has {WARM_UP} sessions and a first row of features needs {WARM_UP + 1}"
    ):
        compute_features(garch_bars("SHORT", WARM_UP, seed=2))


def test_no_bars_at_all_is_the_same_error() -> None:
    with pytest.raises(TooFewRows, match="there are no sessions"):
        compute_features(garch_bars("NONE", 1, seed=2).iloc[:0])


def test_input_is_unchanged(garch_prices: pd.DataFrame) -> None:
    before = garch_prices.copy()
    compute_features(garch_prices)
    pd.testing.assert_frame_equal(garch_prices, before)


def test_the_version_changes_with_what_is_computed_and_not_with_its_explanation(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    first, *others = FEATURES
    versions = {}
    for change, warm_up, formulas in (
        ("none", 60, FEATURES),
        ("words", 60, (replace(first, why="because"), *others)),
        ("formula", 60, (replace(first, formula="log_return / 2"), *others)),
        ("name", 60, (replace(first, name="move"), *others)),
        ("one fewer", 60, tuple(others)),
        ("warm-up", 61, FEATURES),
    ):
        monkeypatch.setattr(module, "FEATURES", formulas)
        monkeypatch.setattr(module, "WARM_UP", warm_up)
        versions[change] = features_version()
    assert versions.pop("words") == versions["none"]
    assert len(set(versions.values())) == len(versions) == 5


def test_history_joins_bars_and_features_without_losing_a_session(garch_prices: pd.DataFrame) -> None:
    features = compute_features(garch_prices)
    history = build_history(garch_prices.sample(frac=1, random_state=1), features)
    assert history["session"].tolist() == garch_prices["session"].tolist()
    assert history[NAMES].iloc[:WARM_UP].isna().all(axis=None)
    assert history[NAMES].iloc[WARM_UP:].notna().all(axis=None)
    assert math.isnan(history["log_return"].iloc[0])
    assert math.isnan(history["target_log_return"].iloc[-1])
    labels = history["target_log_return"].iloc[WARM_UP:-1].to_numpy()
    assert labels == pytest.approx(features["target_log_return"].to_numpy()[:-1], abs=1e-14)


def test_the_synthetic_ar1_has_the_r_squared_it_promises() -> None:
    returns = np.log(ar1_bars("AR", 20_000, seed=1, r_squared=0.05)["adj_close"]).diff().dropna()
    assert np.corrcoef(returns[1:], returns[:-1])[0, 1] ** 2 == pytest.approx(0.05, abs=0.01)
