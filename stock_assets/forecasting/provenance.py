"""The bars that a forecast was made from, as they were known then, and whether making it again gives the same."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

import numpy as np
import pandas as pd

from stock_assets.forecasting.errors import ArtifactMismatch, LostBars, UnknownForecast
from stock_assets.forecasting.features import compute_features
from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.intervals import LEVELS
from stock_assets.forecasting.lookahead import tolerance_of
from stock_assets.forecasting.manifest import Manifest, hash_rows
from stock_assets.forecasting.predictions import predict_live, require_same_features
from stock_assets.forecasting.prices import build_prices, latest_vintage
from stock_assets.forecasting.stored_model import StoredModel

ANY_DAY = "24/7"
"""Calendar where the ticker's own is no longer known: it leaves no bar out; the hash tells whether that was right."""
_NUMBERS = (
    *("predicted", "naive", "predicted_log_return", "volatility"),
    *(f"{side}_{level}" for level in LEVELS for side in ("lower", "upper")),
)
_SHOWN = 5
"""Ids named where several forecasts are meant."""


@dataclass(frozen=True)
class KnownBars:
    """A ticker's `prices` as known at some moment, and the rows of `raw_prices` they come from, in the same order."""

    prices: pd.DataFrame
    fetched: pd.DataFrame


@dataclass(frozen=True)
class Reproduction:
    """A forecast made again: numbers by name, `then` and `again`.

    `tolerance` is the largest difference that counts as the same; 0 for a model that is deterministic to the last bit.
    """

    numbers: pd.DataFrame
    tolerance: float

    @property
    def largest_difference(self) -> float:
        """Of prices and volatility relative to the stored value, of the log return absolute."""
        then, again = self.numbers["then"], self.numbers["again"]
        scale = then.abs().where(self.numbers.index != "predicted_log_return", 1.0)
        return float(((again - then).abs() / scale).max())

    @property
    def is_same(self) -> bool:
        """Whether making it again gives the stored forecast."""
        return self.largest_difference <= self.tolerance


def find_forecast(forecasts: pd.DataFrame, prefix: str) -> pd.Series:
    """The one of all forecasts whose id begins with `prefix`; `UnknownForecast` where it is none, or more than one."""
    found = forecasts[forecasts["forecast_id"].str.startswith(prefix)] if prefix else forecasts.iloc[:0]
    if len(found) == 1:
        return found.iloc[0]
    if found.empty:
        raise UnknownForecast(
            f"no forecast has an id that begins with {prefix!r}, of {len(forecasts)} forecasts",
            cure='stock-assets sql "SELECT forecast_id, ticker, model, target_session FROM forecasts" lists them',
        )
    ids = sorted(found["forecast_id"])
    more = f" and {len(ids) - _SHOWN} more" if len(ids) > _SHOWN else ""
    problem = f"{len(ids)} forecasts have an id that begins with {prefix!r}: {', '.join(ids[:_SHOWN])}{more}"
    raise UnknownForecast(problem, cure="give more of the id")


def bars_of_forecast(raw: pd.DataFrame, forecast: pd.Series, *, calendar: str = ANY_DAY) -> KnownBars:
    """The bars that a forecast was made from, of its ticker's `raw_prices`; `LostBars` where no fetch has them."""
    wanted, until = forecast["data_version"], forecast["created_at"]
    for bars in _states(raw, calendar, until, forecast["as_of_session"]):
        if hash_rows(bars.prices) == wanted:
            return bars
    raise _lost(f"forecast {forecast['forecast_id']} was made from bars with hash {wanted}", until)


def bars_of_fit(raw: pd.DataFrame, manifest: Manifest, *, calendar: str = ANY_DAY) -> KnownBars:
    """The bars that a fit learned from, and later ones known when it ended; `LostBars` where no fetch has them."""
    end, until = pd.Timestamp(manifest.train_end), datetime.fromisoformat(manifest.fitted_at)
    for bars in _states(raw, calendar, until, end):
        history = _history(bars.prices)
        if hash_rows(history[history["session"] <= end]) == manifest.data_version:
            return bars
    raise _lost(f"{manifest.model} {manifest.version} was fitted on rows with hash {manifest.data_version}", until)


def reproduce(model: StoredModel, bars: KnownBars, forecast: pd.Series) -> Reproduction:
    """Make a forecast again by the fit that made it, from what was known (`bars_of_forecast`).

    Raises:
        ArtifactMismatch: the feature formulas have changed, or the model answers no more for that session.
    """
    require_same_features(model)
    following = forecast["target_session"].date()
    rows = predict_live(model, _history(bars.prices), ticker=forecast["ticker"], following=following)
    made = rows[rows["session"] == forecast["as_of_session"]]
    if made.empty:
        raise ArtifactMismatch(
            f"{model.manifest.model} {model.manifest.version} makes no forecast from "
            f"{forecast['as_of_session']:%Y-%m-%d}",
            cure="its last training label must lie before the session",
        )
    names = list(_NUMBERS)
    numbers = pd.DataFrame({"then": forecast[names].astype(float), "again": made.iloc[-1][names].astype(float)})
    return Reproduction(numbers, tolerance_of(model.manifest))


def _lost(what: str, until: datetime) -> LostBars:
    problem = f"{what}, and no state of raw_prices up to {pd.Timestamp(until):%Y-%m-%d %H:%M:%S} UTC gives them"
    return LostBars(problem, cure="restore the lake from a backup that still has them")


def _states(raw: pd.DataFrame, calendar: str, until: datetime, last_session: pd.Timestamp) -> Iterator[KnownBars]:
    """The ticker's bars after each fetch, newest first, as long as they reach `last_session`.

    Not only the newest: a fetch may have been on its way while another run still worked with what was there before.
    """
    for moment in sorted(raw.loc[raw["fetched_at"] <= until, "fetched_at"].unique(), reverse=True):
        known = raw[raw["fetched_at"] <= moment]
        if known["session"].max() < last_session:
            return
        prices = build_prices(known, calendar=calendar)
        fetched = latest_vintage(known)
        yield KnownBars(prices, fetched[np.isin(fetched["session"], prices["session"])].reset_index(drop=True))


def _history(prices: pd.DataFrame) -> pd.DataFrame:
    return build_history(prices, compute_features(prices))
