"""A day's predictions: only what has none by the fits in use, on the history as it is, is predicted.

What belongs here: which stored rows still hold, and what has to be asked. What does not: what rows are made of answers
(`predictions.py`).
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.forecasting.manifest import bars_versions
from stock_assets.forecasting.models import discover
from stock_assets.forecasting.models._base import Floats
from stock_assets.forecasting.predictions import predict_live, predict_sessions, require_same_features, scored_roles
from stock_assets.forecasting.sessions import next_session
from stock_assets.forecasting.splits import HOLDOUT, LIVE
from stock_assets.forecasting.stored_model import StoredModel
from stock_assets.forecasting.units import AskUnit, Steps


@dataclass(frozen=True)
class Updated:
    """All rows of table `predictions` of one model and ticker in the schemes holdout and live, and what became of them.

    A fit was asked about `n_asked` sessions; `n_outdated` stored rows, made by another fit or from other bars, did not
    hold any more. Where `is_holdout_kept`, the rows of validation and test are those that are stored.
    """

    predictions: pd.DataFrame
    n_asked: int
    n_outdated: int
    is_holdout_kept: bool


def updating(
    stored: pd.DataFrame,
    history: pd.DataFrame,
    splits: pd.DataFrame,
    *,
    ticker: str,
    model: str,
    calendar: str,
    store: ArtifactStore,
) -> Steps[Updated]:
    """Bring one model's predictions up to the ticker's whole history (`build_history`), without fitting anything.

    Takes its stored rows of table `predictions` of the schemes holdout and live, and the ticker's of table `splits`;
    the exchange's calendar knows the session after the last bar. `ArtifactMismatch` where the model was never trained
    for this ticker, a fit cannot be used, or the formulas of features have changed since.
    """
    trained = store.load_current(ticker, model)
    for fit in (trained.evaluated, trained.final):
        require_same_features(fit)
    following = next_session(calendar, history["session"].iloc[-1].date())
    holds = _holding(stored, history)
    asked = scored_roles(trained.evaluated, splits, HOLDOUT)
    scored = _kept_holdout(holds, trained.evaluated, history, asked)
    published = _published_live(holds, trained.final, history)
    is_later = (history["session"] > pd.Timestamp(trained.final.manifest.train_end)).to_numpy()
    new = np.flatnonzero(is_later & np.isnan(published))
    context = discover()[model].context
    # The first row that the model has to see to say something of the new ones.
    start = 0 if context is None or not len(new) else max(int(new[0]) - context + 1, 0)
    is_kept = scored is not None
    units = {}
    if len(new):
        units["final"] = AskUnit(store.packed(ticker, model, trained.final.manifest.version), history.iloc[start:])
    if scored is None:
        units["evaluated"] = AskUnit(store.packed(ticker, model, trained.evaluated.manifest.version), history)
    said = dict(zip(units, (yield list(units.values())), strict=True)) if units else {}
    if "final" in said:
        published[new] = trained.final.publish(said["final"].predicted)[new - start]
    if scored is None:
        answer = trained.evaluated.publish(said["evaluated"].predicted)
        scored = predict_sessions(
            trained.evaluated, history, asked, ticker=ticker, fold=HOLDOUT, following=following, published=answer
        )
    live = predict_live(trained.final, history, ticker=ticker, following=following, published=published)
    n_asked = len(new) + (len(asked) if "evaluated" in said else 0)
    table = pd.concat([part for part in (scored, live) if len(part)] or [live], ignore_index=True)
    return Updated(table, n_asked, len(stored) - len(holds), is_kept)


def _holding(stored: pd.DataFrame, history: pd.DataFrame) -> pd.DataFrame:
    """Stored rows that were made from these very bars."""
    by_session = pd.Series(bars_versions(history), index=history["session"])
    now = stored["session"].map(by_session)
    return stored[stored["bars_version"].notna() & (stored["bars_version"] == now)]


def _kept_holdout(
    holds: pd.DataFrame, evaluated: StoredModel, history: pd.DataFrame, asked: "pd.Series[str]"
) -> pd.DataFrame | None:
    """The rows of validation and test as they are stored; None where one is missing, or would be another one now."""
    rows = holds[(holds["scheme"] == HOLDOUT) & (holds["model_version"] == evaluated.manifest.version)]
    rows = rows.sort_values("session", ignore_index=True)
    roles = rows.set_index("session")["role"]
    if not roles.equals(asked.rename("role")) and not (len(roles) == len(asked) == 0):
        return None
    actual = rows["session"].map(history.set_index("session")["target_log_return"])
    return rows if np.array_equal(actual, rows["actual_log_return"], equal_nan=True) else None


def _published_live(holds: pd.DataFrame, final: StoredModel, history: pd.DataFrame) -> Floats:
    """What the final fit has published, by row of the history; NaN where it has not."""
    rows = holds[(holds["scheme"] == LIVE) & (holds["model_version"] == final.manifest.version)]
    return history["session"].map(rows.set_index("session")["predicted_log_return"]).to_numpy(dtype=float, copy=True)
