"""The reference project's protocol, run by our models: its split, its price levels, its lags and networks.

Its published scores cannot be had again from its own code (labels are shifted twice, each model is scored on rows of
its own), so three things stand side by side for every model: what was published, ours under that protocol with the
label where it belongs, and ours as it is by default. The random walk is on the rows of each. Decision: docs/adr/0079.
"""

from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import date, datetime

import numpy as np
import pandas as pd

from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.forecasting.evaluation import evaluate, scale_mae
from stock_assets.forecasting.features import compute_features
from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.intervals import LEVELS
from stock_assets.forecasting.models import BENCHMARK, Progress, discover, quiet
from stock_assets.forecasting.models._base import Target
from stock_assets.forecasting.predictions import predict_sessions
from stock_assets.forecasting.sessions import next_session
from stock_assets.forecasting.splits import HOLDOUT, holdout_splits, roles
from stock_assets.forecasting.training import fitting_fold
from stock_assets.forecasting.units import drive

TICKER = "AAPL"
FIRST_SESSION, LAST_SESSION = date(2020, 10, 5), date(2025, 10, 3)
SESSIONS = 1256
"""The reference's bars: Yahoo's of `TICKER` from `FIRST_SESSION` to `LAST_SESSION`."""

COLUMNS = (
    *("model", "formulation", "rmse", "mae", "rmse_random_walk", "mae_random_walk", "rmse_ratio"),
    *("n", "first_session", "last_session", "note"),
)
_FORMULATIONS: dict[Target, str] = {"price": "reference", "log_return": "default"}
_MONEY = ("predicted", "actual", "naive")


@dataclass(frozen=True)
class Published:
    """What the reference project reports for one model, in dollars of adjusted close.

    The random walk's are on the rows that model was scored on, computed afterwards; `note` must be known to read them.
    """

    rmse: float
    mae: float
    rmse_random_walk: float
    mae_random_walk: float
    note: str


_TREES = "scored without the first rows, which have no lags"
_NETWORKS = "scored without the first 60 rows of the split, and on the session after the next"
PUBLISHED = {
    "sarima": Published(
        20.15, 18.03, 4.92, 3.07, "a path of 126 days, not one session ahead; ours is one session ahead"
    ),
    "random_forest": Published(8.08, 6.45, 4.38, 2.80, _TREES),
    "xgboost": Published(7.21, 5.65, 4.38, 2.80, _TREES),
    "lstm_keras": Published(7.70, 6.12, 4.58, 2.93, _NETWORKS),
    "lstm_pytorch": Published(7.26, 5.78, 4.58, 2.93, f"{_NETWORKS}; another of its runs: RMSE 9.17, MAE 8.33"),
}


@dataclass(frozen=True)
class Replication:
    """Scores, and whether they may be held against the published ones.

    Attributes:
        scores: columns `COLUMNS`; the random walk (formulation `benchmark`), then each model's rows: `published`,
            `reference` (price levels, its protocol) and `default` (log returns). Errors are in money of adjusted close;
            `rmse_ratio` is to the random walk's on the same rows; `n` counts scored sessions, missing where it was not
            published.
        is_reference: whether the bars are the reference's by ticker, first and last session, and count.
    """

    scores: pd.DataFrame
    is_reference: bool
    first_session: date
    last_session: date
    n_bars: int


def choose_bars(prices: pd.DataFrame, *, ticker: str) -> tuple[pd.DataFrame, bool]:
    """The reference's bars, in order, and True; where they are not there, the newest, as many as it had, and False."""
    bars = prices.sort_values("session", ignore_index=True)
    inside = bars[bars["session"].between(pd.Timestamp(FIRST_SESSION), pd.Timestamp(LAST_SESSION))]
    is_reference = (
        ticker == TICKER
        and len(inside) == SESSIONS
        and (inside["session"].iloc[0].date(), inside["session"].iloc[-1].date()) == (FIRST_SESSION, LAST_SESSION)
    )
    return (inside if is_reference else bars.tail(SESSIONS)).reset_index(drop=True), is_reference


def replicate(
    prices: pd.DataFrame,
    *,
    ticker: str,
    calendar: str,
    store: ArtifactStore,
    now: Callable[[], datetime],
    models: Sequence[str] = tuple(PUBLISHED),
    fast: bool = False,
    progress: Progress = quiet,
) -> Replication:
    """Run the protocol on one ticker's bars, for models among `PUBLISHED`.

    All sessions are divided 80/10/10, so that of 1,256 the last 126 are scored, for every model the same ones; one
    session is purged at each boundary. Models learn from the first 80 % alone. `now` is a clock, aware.

    Raises:
        TooFewRows: too few bars for the split or for a model.
    """
    bars, is_reference = choose_bars(prices, ticker=ticker)
    history = build_history(bars, compute_features(bars))
    splits = holdout_splits(history)
    run = _Run(history, splits, ticker, calendar, store, now, fast, progress)
    scale = scale_mae(bars, splits)
    benchmark = run.predict(BENCHMARK, "log_return")
    ours = {}
    for target, formulation in _FORMULATIONS.items():
        predictions = pd.concat([benchmark, *(run.predict(model, target) for model in models)], ignore_index=True)
        ours[formulation] = evaluate(predictions, scale_mae=scale).set_index("model")
    return Replication(
        _table(ours, models), is_reference, bars["session"].iloc[0].date(), bars["session"].iloc[-1].date(), len(bars)
    )


@dataclass(frozen=True)
class _Run:
    history: pd.DataFrame
    splits: pd.DataFrame
    ticker: str
    calendar: str
    store: ArtifactStore
    now: Callable[[], datetime]
    fast: bool
    progress: Progress

    def predict(self, model: str, target: Target) -> pd.DataFrame:
        """The test rows of one model, in money of adjusted close."""
        role = roles(self.splits)
        kind = discover()[model]
        forecaster = kind.fast(target=target) if self.fast else kind(target=target)
        work = fitting_fold(
            forecaster,
            self.history,
            np.flatnonzero(self.history["session"].map(role) == "train"),
            asked=self.history,
            ticker=self.ticker,
            store=self.store,
            now=self.now,
            progress=lambda message: self.progress(f"{model}, {_FORMULATIONS[target]}: {message}"),
        )
        fit, raw = drive(work)
        rows = predict_sessions(
            fit,
            self.history,
            role[role == "test"],
            ticker=self.ticker,
            fold=HOLDOUT,
            following=next_session(self.calendar, self.history["session"].iloc[-1].date()),
            published=fit.publish(raw),
        )
        return self._in_adjusted_close(rows)

    def _in_adjusted_close(self, rows: pd.DataFrame) -> pd.DataFrame:
        bars = self.history.set_index("session")
        factor = (bars["adj_close"] / bars["close"]).reindex(rows["session"]).to_numpy(dtype=float)
        money = [*_MONEY, *(f"{end}_{level}" for end in ("lower", "upper") for level in LEVELS)]
        return rows.assign(**{name: rows[name] * factor for name in money})


def _table(ours: dict[str, pd.DataFrame], models: Sequence[str]) -> pd.DataFrame:
    rows = [_scored(BENCHMARK, "benchmark", ours["default"], "tomorrow's close is today's")]
    for model in models:
        rows.append({"model": model, "formulation": "published", **asdict(PUBLISHED[model])})
        rows.append(_scored(model, "reference", ours["reference"], "price levels, 80/10/10, label shift corrected"))
        rows.append(_scored(model, "default", ours["default"], "log returns, same rows"))
    table = pd.DataFrame(rows)
    table["rmse_ratio"] = table["rmse"] / table["rmse_random_walk"]
    return table.astype({"n": "Int64"})[list(COLUMNS)]


def _scored(model: str, formulation: str, evaluation: pd.DataFrame, note: str) -> dict[str, object]:
    names = ("rmse", "mae", "rmse_random_walk", "mae_random_walk", "n", "first_session", "last_session")
    scores = evaluation.loc[model]
    return {"model": model, "formulation": formulation, **{name: scores[name] for name in names}, "note": note}
