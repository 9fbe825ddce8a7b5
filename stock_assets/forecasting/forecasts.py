"""The forecast log: newest live predictions written down before they can be known, and scored when they are.

Nothing here edits a row. A forecast is written when it says anything that the model's newest one for that session did
not (other data, another fit, champion or not any more); a score is added when the target session has a bar, and again
only where a corrected bar changes it.
"""

from collections.abc import Callable
from datetime import date, datetime

import numpy as np
import pandas as pd

from stock_assets.forecasting.errors import StalePredictions
from stock_assets.forecasting.intervals import LEVELS
from stock_assets.forecasting.manifest import digest, hash_rows
from stock_assets.forecasting.models import BENCHMARK

_COPIED = (
    *("ticker", "model", "target_session", "predicted", "naive", "predicted_log_return", "volatility"),
    *(f"{side}_{level}" for level in LEVELS for side in ("lower", "upper")),
    "model_version",
)
_ABOUT = ("model", "as_of_session")
_SAID = ("data_version", "model_version", "is_champion")
_SAME_PRICE = 1e-6
"""Relative change of an actual below which it is the same bar: sources round prices to about seven digits."""


def make_forecasts(
    predictions: pd.DataFrame,
    prices: pd.DataFrame,
    models: pd.DataFrame,
    *,
    champion: str,
    existing: pd.DataFrame,
    live_until: Callable[[date], datetime],
    created_at: datetime,
    run_id: str | None = None,
) -> pd.DataFrame:
    """Write down every model's newest live prediction for one ticker.

    Args:
        predictions: the ticker's rows of table `predictions`, all models; rows of fold `live` are used.
        prices, models, existing: its rows of tables `prices`, `models` and `forecasts`.
        live_until: until when a forecast for a session counts as live, aware.
        created_at: when this is written, aware.
        run_id: the orchestrator's name of the run that writes it.

    Returns:
        Rows of table `forecasts` that say anything new. A model whose newest prediction was not made from the newest
        bar as it stands, or whose fit is not in `models`, has none.

    Raises:
        StalePredictions: that is so for the champion or the random walk.
    """
    bars = prices.sort_values("session", ignore_index=True)
    newest = _made_from(bars.iloc[-1], predictions, models)
    _require(newest, {champion, BENCHMARK}, bars.iloc[-1])
    data_version = hash_rows(bars)
    code = models.drop_duplicates("version").set_index("version")["code_version"]
    forecasts = newest[list(_COPIED)].assign(
        as_of_session=newest["session"],
        created_at=pd.Timestamp(created_at).as_unit("ns"),
        is_champion=newest["model"] == champion,
        is_live=[created_at < live_until(session.date()) for session in newest["target_session"]],
        source=bars["source"].iloc[-1],
        data_version=data_version,
        code_version=newest["model_version"].map(code),
        run_id=run_id,
    )
    # The newest forecast of the same model and session, row by row; nothing where there is none.
    known = existing.sort_values("created_at").drop_duplicates(list(_ABOUT), keep="last")
    last = forecasts[list(_ABOUT)].merge(known[[*_ABOUT, "forecast_id", *_SAID]], on=list(_ABOUT), how="left")
    # What it follows is part of the identity: what comes back gets a new one, and two runs at once give the same one.
    identities = forecasts[["ticker", *_ABOUT, *_SAID]].assign(follows=last["forecast_id"]).astype(str)
    forecasts.insert(0, "forecast_id", [digest(identity) for identity in identities.to_numpy().tolist()])
    is_said = (forecasts[list(_SAID)] == last[list(_SAID)]).all(axis=1)
    return forecasts[~is_said].reset_index(drop=True)


def _made_from(bar: pd.Series, predictions: pd.DataFrame, models: pd.DataFrame) -> pd.DataFrame:
    live = predictions[predictions["fold"] == "live"].sort_values("session")
    newest = live.groupby("model").tail(1).sort_values("model", ignore_index=True)
    is_from_it = (newest["session"] == bar["session"]) & np.isclose(newest["naive"], bar["close"], rtol=_SAME_PRICE)
    fresh: pd.DataFrame = newest[is_from_it & newest["model_version"].isin(models["version"])]
    return fresh.reset_index(drop=True)


def _require(newest: pd.DataFrame, names: set[str], bar: pd.Series) -> None:
    lacking = sorted(names - set(newest["model"]))
    if lacking:
        raise StalePredictions(
            f"the newest bar is of {bar['session']:%Y-%m-%d}, close {bar['close']:g}, and {' and '.join(lacking)} made "
            "no prediction from it",
            cure=f"materialize {', '.join(f'predictions/{name}' for name in lacking)} again, then forecasts",
        )


def score_forecasts(
    forecasts: pd.DataFrame, prices: pd.DataFrame, existing: pd.DataFrame, *, scored_at: datetime
) -> pd.DataFrame:
    """Rows of table `forecast_scores` that are new, or that a corrected bar makes different from the newest one.

    A ticker that did not trade in the session that was forecast gets no score: its next bar answers another question.
    `prices` has one vintage per ticker; `scored_at` is when this is written, aware.
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
    last = _newest_scores(existing).set_index("forecast_id")["actual"]
    before = scores["forecast_id"].map(last).to_numpy(dtype=float)
    is_new = ~np.isclose(scores["actual"].to_numpy(dtype=float), before, rtol=_SAME_PRICE, atol=0.0)
    return scores.iloc[np.flatnonzero(is_new)].reset_index(drop=True)


def with_actuals(forecasts: pd.DataFrame, scores: pd.DataFrame) -> pd.DataFrame:
    """The forecasts that have been scored, with the `actual` of their newest row of table `forecast_scores`."""
    return forecasts.merge(_newest_scores(scores)[["forecast_id", "actual"]], on="forecast_id")


def _newest_scores(scores: pd.DataFrame) -> pd.DataFrame:
    return scores.sort_values("scored_at").drop_duplicates("forecast_id", keep="last")


def as_markdown(forecasts: pd.DataFrame) -> str:
    """A small table of what was forecast, with 90 % intervals, for people."""
    shown = forecasts[
        ["model", "target_session", "naive", "predicted", "lower_90", "upper_90", "is_champion", "is_live"]
    ]
    return str(shown.to_markdown(index=False, floatfmt=".2f"))
