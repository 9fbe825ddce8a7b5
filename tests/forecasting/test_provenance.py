"""A forecast's bars are found among everything that was ever fetched, and making it again gives it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from stock_assets.forecasting.artifacts import describe
from stock_assets.forecasting.errors import ArtifactMismatch, LostBars, UnknownForecast
from stock_assets.forecasting.forecasts import make_forecasts
from stock_assets.forecasting.lookahead import NETWORK_TOLERANCE, tolerance_of
from stock_assets.forecasting.predictions import predict_live
from stock_assets.forecasting.prices import RAW_COLUMNS, build_prices
from stock_assets.forecasting.provenance import (
    ANY_DAY,
    Reproduction,
    bars_of_fit,
    bars_of_forecast,
    find_forecast,
    reproduce,
)
from storage.lake import Lake
from tests.forecasting.conftest import NOW

FETCHED = datetime(2012, 9, 8, 1, tzinfo=UTC)
WRITTEN = NOW + timedelta(hours=1)
PRICES = ["open", "high", "low", "close", "adj_close"]


def fetch(prices, at, vintage=None):
    """Rows of `raw_prices`, as one fetch brings them."""
    at, vintage = (pd.Timestamp(moment) for moment in (at, vintage or at))
    return prices.assign(fetched_at=at, vintage=vintage)[RAW_COLUMNS]


@pytest.fixture(scope="module")
def raw(garch_prices):
    """The history in a first fetch, and its last five bars in four later ones of the same vintage."""
    days = [garch_prices.iloc[-5:-3], *(garch_prices.iloc[[row]] for row in (-3, -2, -1))]
    later = [
        fetch(day, FETCHED - timedelta(days=len(days) - number), FETCHED - timedelta(days=9))
        for number, day in enumerate(days, 1)
    ]
    return pd.concat([fetch(garch_prices.iloc[:-5], FETCHED - timedelta(days=9)), *later], ignore_index=True)


@pytest.fixture
def forecast(boosted, walk, garch_history, raw, tmp_path):
    """XGBoost's forecast of 2012-09-10, as the log has it."""
    finals = (boosted[0].final, walk.final)
    following = datetime(2012, 9, 10, tzinfo=UTC).date()
    live = [predict_live(fit, garch_history, ticker="GARCH", following=following) for fit in finals]
    forecasts = make_forecasts(
        pd.concat(live, ignore_index=True),
        build_prices(raw, calendar=ANY_DAY),
        pd.concat([describe(boosted[0]), describe(walk)], ignore_index=True),
        champion="random_walk",
        existing=Lake(tmp_path).read("forecasts"),
        live_until=lambda _: WRITTEN,
        created_at=WRITTEN,
    )
    return forecasts[forecasts["model"] == "xgboost"].iloc[0]


@pytest.fixture
def restated(raw, garch_prices):
    """What is stored a week later: a revised volume, and then all prices restated, each bar by a factor of its own."""
    shaken = garch_prices[PRICES].mul(0.97 + 0.02 * np.sin(np.arange(len(garch_prices))), axis=0)
    revised = garch_prices.iloc[[-1]].assign(volume=lambda bar: bar["volume"] * 1.01)
    return pd.concat(
        [
            raw,
            fetch(revised, WRITTEN + timedelta(days=1), FETCHED - timedelta(days=9)),
            fetch(garch_prices.assign(**shaken), WRITTEN + timedelta(days=7)),
        ],
        ignore_index=True,
    )


def test_the_bars_known_then_are_found_although_history_was_restated_since(forecast, restated, garch_prices):
    bars = bars_of_forecast(restated, forecast)
    columns = [*PRICES, "volume", "session"]
    pd.testing.assert_frame_equal(bars.prices[columns], garch_prices[columns].reset_index(drop=True))
    pd.testing.assert_frame_equal(bars.fetched[columns], bars.prices[columns])
    assert bars.fetched["fetched_at"].max() == pd.Timestamp(FETCHED)
    assert set(bars.fetched["vintage"]) == {pd.Timestamp(FETCHED - timedelta(days=9))}


def test_making_it_again_from_those_bars_gives_it_to_the_last_bit(forecast, restated, boosted):
    made = reproduce(boosted[0].final, bars_of_forecast(restated, forecast), forecast)
    assert made.tolerance == 0.0
    assert made.largest_difference == 0.0
    assert made.is_same
    assert made.numbers["again"].notna().all()
    assert {"predicted", "lower_95", "upper_50", "volatility"} <= set(made.numbers.index)


def test_as_known_then_matters(forecast, restated, boosted):
    later = forecast.copy()
    later["created_at"] = pd.Timestamp(WRITTEN + timedelta(days=8))
    now = build_prices(restated, calendar=ANY_DAY)
    bars = replace(bars_of_forecast(restated, forecast), prices=now)
    assert not reproduce(boosted[0].final, bars, forecast).is_same
    assert len(bars_of_forecast(restated, later).prices) == len(now), "the hash decides, not the time alone"


def test_a_fetch_that_was_on_its_way_when_the_forecast_was_written_is_passed_over(forecast, raw, garch_prices):
    early = fetch(garch_prices.assign(volume=1.0), WRITTEN - timedelta(minutes=1))
    bars = bars_of_forecast(pd.concat([raw, early], ignore_index=True), forecast)
    assert bars.fetched["fetched_at"].max() == pd.Timestamp(FETCHED)


def test_bars_that_are_lost_are_said_to_be(forecast, raw, boosted):
    edited = raw.assign(close=raw["close"].where(raw.index != 300, raw["close"] * 1.001))
    with pytest.raises(LostBars, match=f"was made from bars with hash {forecast['data_version']}, and no state"):
        bars_of_forecast(edited, forecast)
    with pytest.raises(LostBars, match="no state of raw_prices up to"):
        bars_of_forecast(raw.iloc[:100], forecast)
    with pytest.raises(LostBars, match="no state of raw_prices up to"):
        bars_of_forecast(raw.iloc[:0], forecast)
    with pytest.raises(LostBars, match="was fitted on rows with hash"):
        bars_of_fit(edited, boosted[0].final.manifest)


def test_the_rows_a_fit_learned_from_are_found_again(raw, boosted, restated):
    for model in (boosted[0].final, boosted[0].evaluated):
        bars = bars_of_fit(restated, model.manifest)
        assert bars.fetched["fetched_at"].max() <= pd.Timestamp(NOW)


@pytest.mark.parametrize("name", ["predicted", "lower_95", "predicted_log_return"])
def test_any_number_that_differs_is_noticed(name, forecast, raw, boosted):
    changed = forecast.copy()
    changed[name] = changed[name] * (1 + 1e-9)
    made = reproduce(boosted[0].final, bars_of_forecast(raw, forecast), changed)
    assert not made.is_same
    expected = 1e-9 * (abs(forecast[name]) if name == "predicted_log_return" else 1.0)
    assert made.largest_difference == pytest.approx(expected, rel=1e-3)


def test_networks_may_differ_by_rounding_and_no_more(boosted):
    deterministic = boosted[0].final.manifest
    assert tolerance_of(deterministic) == 0.0
    for manifest in (
        replace(deterministic, model="lstm_pytorch"),
        replace(deterministic, parents={"lstm_keras": "abc", "xgboost": "def"}),
    ):
        assert tolerance_of(manifest) == NETWORK_TOLERANCE
    for difference, is_same in ((5e-7, True), (5e-6, False)):
        numbers = pd.DataFrame({"then": [100.0], "again": [100.0 * (1 + difference)]}, index=["predicted"])
        assert Reproduction(numbers, NETWORK_TOLERANCE).is_same is is_same


def test_a_fit_that_cannot_answer_any_more_is_refused(forecast, raw, boosted, monkeypatch):
    bars = bars_of_forecast(raw, forecast)
    model = boosted[0].final
    learned = replace(model, manifest=replace(model.manifest, train_end="2012-09-07"))
    with pytest.raises(ArtifactMismatch, match="makes no forecast from 2012-09-07"):
        reproduce(learned, bars, forecast)
    other = replace(model, manifest=replace(model.manifest, features_version="0" * 16))
    with pytest.raises(ArtifactMismatch, match="fitted on feature formulas"):
        reproduce(other, bars, forecast)


def test_a_forecast_is_found_by_the_beginning_of_its_id():
    forecasts = pd.DataFrame({"forecast_id": ["abc1", "abd2", *(f"f{n}" for n in range(7))], "model": "sarima"})
    assert find_forecast(forecasts, "abd")["forecast_id"] == "abd2"
    assert find_forecast(forecasts, "abc1")["forecast_id"] == "abc1"
    with pytest.raises(UnknownForecast, match=r"2 forecasts have an id that begins with 'ab': abc1, abd2 — give more"):
        find_forecast(forecasts, "ab")
    with pytest.raises(UnknownForecast, match=r"f0, f1, f2, f3, f4 and 2 more"):
        find_forecast(forecasts, "f")
    for unknown in ("x", "", "abc12"):
        with pytest.raises(UnknownForecast, match=f"no forecast has an id that begins with {unknown!r}, of 9"):
            find_forecast(forecasts, unknown)
