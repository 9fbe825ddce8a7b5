"""Retraining: when models are trained again on their own account. Never on a new bar alone.

Three causes, in this order: drift of the inputs that persists, live errors of the champion outside their band, and age.
After a retraining for one of the first two, both are silent for `COOL_DOWN` sessions: the models have just seen it.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from stock_assets.forecasting import drift as drifting
from stock_assets.forecasting.models._base import Floats

Action = Literal["retrain", "keep", "wait"]
Cause = Literal["drift", "live_error", "age", "none"]

COOL_DOWN = 60
"""Sessions."""
LIVE_ROWS = 40
"""Newest live forecasts whose errors are looked at together."""
MIN_REFERENCE = 120
"""Fewest out-of-sample errors that a band can be drawn from."""
BAND = 0.999
_BLOCK, _DRAWS, _SEED = 10, 10_000, 0


@dataclass(frozen=True)
class Known:
    """What is known about one ticker when it is decided.

    Attributes:
        sessions: sessions of its features, ascending.
        drift: its rows of table `drift`.
        live_errors: squared live errors of the champion over forecast variance, in time order, shape (n,).
        reference_errors: the same of that model's out-of-sample rows before it went live, shape (m,).
        trained_through: last session whose label the models in use have seen.
        decisions: its rows of table `retraining`.
        every: age at which models are trained again; None: never for age alone.
    """

    ticker: str
    sessions: pd.DatetimeIndex
    drift: pd.DataFrame
    live_errors: Floats
    reference_errors: Floats
    trained_through: date
    decisions: pd.DataFrame
    every: timedelta | None


def decide_retraining(known: Known, *, decided_at: datetime) -> pd.DataFrame:
    """One row of table `retraining`: whether a ticker's models are trained again now (`decided_at`, aware), and why."""
    cause, reason = _find_cause(known)
    left = COOL_DOWN - _sessions_since_retraining(known)
    action: Action = "keep" if cause == "none" else "retrain"
    if cause in ("drift", "live_error") and left > 0:
        action = "wait"
        reason += f" The models were trained again for such a cause, and it is left alone for {left} more sessions."
    row = {
        "ticker": known.ticker,
        "decided_at": pd.Timestamp(decided_at).as_unit("ns"),
        "session": known.sessions[-1],
        "action": action,
        "cause": cause,
        "reason": reason,
    }
    return pd.DataFrame([row]).astype({"decided_at": "datetime64[ns, UTC]", "session": "datetime64[ns]"})


def is_news(decision: pd.DataFrame, earlier: pd.DataFrame) -> bool:
    """Whether a decision is worth a row: a retraining always, anything else where it differs from the last one."""
    row = decision.iloc[0]
    if row["action"] == "retrain" or earlier.empty:
        return True
    last = earlier.sort_values("decided_at").iloc[-1]
    return bool(row["action"] != last["action"] or row["cause"] != last["cause"])


def upper_band(reference_errors: ArrayLike) -> float:
    """Mean squared standardised error that `LIVE_ROWS` rows stay below with probability `BAND` if nothing has changed.

    Means of resampled blocks of consecutive errors (moving-block bootstrap: Künsch 1989, Annals of Statistics 17).
    Takes squared errors over forecast variance, in time order, shape (m,), m ≥ `MIN_REFERENCE`.
    """
    errors = np.asarray(reference_errors, dtype=float)
    rng = np.random.default_rng(_SEED)
    starts = rng.integers(0, len(errors) - _BLOCK + 1, size=(_DRAWS, LIVE_ROWS // _BLOCK))
    block_means = np.convolve(errors, np.full(_BLOCK, 1 / _BLOCK), mode="valid")
    return float(np.quantile(block_means[starts].mean(axis=1), BAND))


def _find_cause(known: Known) -> tuple[Cause, str]:
    checked = drifting.drifted_sessions(known.drift).tail(drifting.OF)
    drifted = f"The inputs had drifted in {int(checked.sum())} of the newest {len(checked)} sessions checked"
    if drifting.persists(known.drift):
        return "drift", f"{drifted}; {drifting.NEEDED} of {drifting.OF} are enough."
    if len(known.live_errors) >= LIVE_ROWS and len(known.reference_errors) >= MIN_REFERENCE:
        live, band = float(np.mean(known.live_errors[-LIVE_ROWS:])), upper_band(known.reference_errors)
        if live > band:
            return "live_error", (
                f"The champion's newest {LIVE_ROWS} squared live errors average {live:.2f} forecast variances, "
                f"above the {band:.2f} that out-of-sample errors reach by chance once in {1 / (1 - BAND):.0f} times."
            )
    age = (known.sessions[-1].date() - known.trained_through).days
    if known.every is not None and age >= known.every.days:
        return "age", f"The models have learned nothing for {age} days; {known.every.days} are allowed."
    return "none", f"{drifted}, and live errors are within their band."


def _sessions_since_retraining(known: Known) -> int:
    for_cause = known.decisions[
        (known.decisions["action"] == "retrain") & known.decisions["cause"].isin(["drift", "live_error"])
    ]
    if for_cause.empty:
        return COOL_DOWN
    return int((known.sessions > for_cause["session"].max()).sum())
