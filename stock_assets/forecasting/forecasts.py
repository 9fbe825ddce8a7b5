"""The forecast log: newest live predictions written down before they can be known, and scored when they are.

Nothing here edits a row. A forecast is written once per ticker, model, as-of session, data and model version; a score
is added when the target session has a bar, and again only where a corrected bar changes it.
"""

from collections.abc import Callable
from datetime import date, datetime

import numpy as np
import pandas as pd

from stock_assets.forecasting.errors import StalePredictions
from stock_assets.forecasting.intervals import LEVELS
from stock_assets.forecasting.manifest import digest, hash_rows

_COPIED = (
    "ticker",
    "model",
    "target_session",
    "predicted",
    "naive",
    "predicted_log_return",
    "volatility",
    *(f"{side}_{level}" for level in LEVELS for side in ("lower", "upper")),
    "model_version",
)
_IDENTITY = ("ticker", "model", "as_of_session", "data_version", "model_version")
_SAME_PRICE = 1e-6
"""Relative change of an actual below which it is the same bar: sources round prices to about seven digits."""


def make_forecasts(
    predictions: pd.DataFrame,
    prices: pd.DataFrame,
    models: pd.DataFrame,
    *,
    champion: str,
    existing: pd.DataFrame,
    opens_at: Callable[[date], datetime],
    created_at: datetime,
) -> pd.DataFrame:
    """Write down every model's newest live prediction for one ticker.

    Args:
        predictions: the ticker's rows of table `predictions`, all models; rows of fold `live` are used.
        prices: its rows of table `prices`.
        models: its rows of table `models`.
        champion: name of the model that is trusted now.
        existing: its rows of table `forecasts`.
        opens_at: opening time of a session, aware.
        created_at: when this is written, aware.

    Returns:
        Rows of table `forecasts` that are not in `existing`. Live are those created before the target session opened.

    Raises:
        StalePredictions: a model's newest prediction is not made from the newest bar.
    """
    live = predictions[predictions["fold"] == "live"].sort_values("session")
    newest = live.groupby("model").tail(1).sort_values("model", ignore_index=True)
    bars = prices.sort_values("session", ignore_index=True)
    _check_fresh(newest, bars)
    data_version = hash_rows(bars)
    code = models.drop_duplicates("version").set_index("version")["code_version"]
    forecasts = newest[list(_COPIED)].assign(
        as_of_session=newest["session"],
        created_at=pd.Timestamp(created_at).as_unit("ns"),
        is_champion=newest["model"] == champion,
        is_live=[created_at < opens_at(session.date()) for session in newest["target_session"]],
        source=bars["source"].iloc[-1],
        data_version=data_version,
        code_version=newest["model_version"].map(code),
    )
    identities = forecasts[list(_IDENTITY)].astype(str).to_numpy().tolist()
    forecasts.insert(0, "forecast_id", [digest(identity) for identity in identities])
    return forecasts[~forecasts["forecast_id"].isin(existing["forecast_id"])].reset_index(drop=True)


def _check_fresh(newest: pd.DataFrame, bars: pd.DataFrame) -> None:
    last = bars["session"].iloc[-1]
    stale = newest[newest["session"] != last]
    if len(stale) or newest.empty:
        found = ", ".join(f"{row.model} from {row.session:%Y-%m-%d}" for row in stale.itertuples()) or "none"
        raise StalePredictions(
            f"the newest bar is of {last:%Y-%m-%d} and every prediction should be made from it; found {found}",
            cure="materialize features and predictions again, then forecasts",
        )


def score_forecasts(
    forecasts: pd.DataFrame, prices: pd.DataFrame, existing: pd.DataFrame, *, scored_at: datetime
) -> pd.DataFrame:
    """Score the forecasts whose target session has a bar.

    A ticker that did not trade in the session that was forecast gets no score: its next bar answers another question.

    Args:
        forecasts: rows of table `forecasts`.
        prices: rows of table `prices`, one vintage per ticker.
        existing: rows of table `forecast_scores`.
        scored_at: when this is written, aware.

    Returns:
        Rows of table `forecast_scores` that are new, or that a corrected bar makes different from the newest one.
    """
    adjusted = prices[["ticker", "session", "adj_close"]]
    known = forecasts.merge(
        adjusted.rename(columns={"session": "as_of_session", "adj_close": "adj_close_then"}),
        on=["ticker", "as_of_session"],
    ).merge(
        adjusted.rename(columns={"session": "target_session", "adj_close": "adj_close_after"}),
        on=["ticker", "target_session"],
    )
    actual = known["naive"] * known["adj_close_after"] / known["adj_close_then"]
    scores = known[["forecast_id", "ticker", "model", "target_session"]].assign(
        scored_at=pd.Timestamp(scored_at).as_unit("ns"), actual=actual, error=known["predicted"] - actual
    )
    for level in LEVELS:
        scores[f"inside_{level}"] = actual.between(known[f"lower_{level}"], known[f"upper_{level}"])
    last = (
        existing.sort_values("scored_at").drop_duplicates("forecast_id", keep="last").set_index("forecast_id")["actual"]
    )
    before = scores["forecast_id"].map(last).to_numpy(dtype=float)
    is_new = ~np.isclose(scores["actual"].to_numpy(dtype=float), before, rtol=_SAME_PRICE, atol=0.0)
    return scores.iloc[np.flatnonzero(is_new)].reset_index(drop=True)


def as_markdown(forecasts: pd.DataFrame) -> str:
    """A small table of what was forecast, with 90 % intervals, for people."""
    shown = forecasts[
        ["model", "target_session", "naive", "predicted", "lower_90", "upper_90", "is_champion", "is_live"]
    ]
    return str(shown.to_markdown(index=False, floatfmt=".2f"))
