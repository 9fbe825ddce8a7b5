"""Retraining: when models are trained again on their own account. Never on a new bar alone.

Three causes, in this order: drift of the inputs that persists, live errors of the champion outside their band, and age.
After a retraining for one of the first two, both are silent for `COOL_DOWN` sessions: the models have just seen it.
"""

from collections.abc import Iterable
from dataclasses import asdict, dataclass
from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import Literal

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike, NDArray

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
_FIRST_DRAWS = 1000
_ABOVE = _DRAWS - int((_DRAWS - 1) * BAND)
"""Where so many draws are above a value, the band is, too."""


@dataclass(frozen=True)
class Known:
    """What is known about one ticker when it is decided.

    Attributes:
        ticker: symbol.
        session: the newest session of its features.
        drifted: whether the inputs had drifted, for each of the newest sessions checked, ascending; `drifting.OF` are
            looked at.
        live_errors: squared live errors of the champion over forecast variance, in time order, shape (n,).
        reference_errors: the same of that model's out-of-sample rows before it went live, shape (m,).
        trained_through: last session whose label the models in use have seen.
        since_cause: sessions since it was last trained again for drift or live errors; None: never.
        latest: action and cause of its latest decision; None: none.
        every: age at which models are trained again; None: never for age alone.
    """

    ticker: str
    session: date
    drifted: NDArray[np.bool_]
    live_errors: Floats
    reference_errors: Floats
    trained_through: date
    since_cause: int | None
    latest: tuple[str, str] | None
    every: timedelta | None


@dataclass(frozen=True)
class Decision:
    """One row of table `retraining`; its reason is a sentence with the numbers."""

    ticker: str
    decided_at: datetime
    session: date
    action: Action
    cause: Cause
    reason: str


def decide_retraining(known: Known, *, decided_at: datetime) -> Decision:
    """Decide whether one ticker's models are trained again now.

    Args:
        known: see there.
        decided_at: now, aware.
    """
    cause, reason = _find_cause(known)
    left = 0 if known.since_cause is None else COOL_DOWN - known.since_cause
    action: Action = "keep" if cause == "none" else "retrain"
    if cause in ("drift", "live_error") and left > 0:
        action = "wait"
        reason += f" The models were trained again for such a cause, and it is left alone for {left} more sessions."
    return Decision(known.ticker, decided_at, known.session, action, cause, reason)


def as_rows(decisions: Iterable[Decision]) -> pd.DataFrame:
    """Rows of table `retraining`."""
    frame = pd.DataFrame([asdict(one) for one in decisions], columns=list(Decision.__dataclass_fields__))
    return frame.astype({"decided_at": "datetime64[ns, UTC]", "session": "datetime64[ns]"})


def is_news(decision: Decision, latest: tuple[str, str] | None) -> bool:
    """Whether a decision is worth a row: a retraining always, anything else where it differs from the latest one."""
    return decision.action == "retrain" or (decision.action, decision.cause) != latest


def upper_band(reference_errors: ArrayLike) -> float:
    """Mean squared standardised error that `LIVE_ROWS` rows stay below with probability `BAND` if nothing has changed.

    Means of resampled blocks of consecutive errors (moving-block bootstrap: Künsch 1989, Annals of Statistics 17).

    Args:
        reference_errors: squared errors over forecast variance, in time order, shape (m,), m ≥ `MIN_REFERENCE`.
    """
    means = _block_means(reference_errors)
    return float(np.quantile(means[_starts(len(means))].mean(axis=1), BAND))


def _exceeded_band(live: float, reference_errors: ArrayLike) -> float | None:
    """`upper_band`, where `live` is above it; mostly a few of its draws are enough to see that it is not."""
    means = _block_means(reference_errors)
    first = means[_starts(len(means))[:_FIRST_DRAWS]].mean(axis=1)
    if np.count_nonzero(first > live) >= _ABOVE:
        return None
    band = upper_band(reference_errors)
    return band if live > band else None


def _block_means(errors: ArrayLike) -> Floats:
    return np.convolve(np.asarray(errors, dtype=float), np.full(_BLOCK, 1 / _BLOCK), mode="valid")


@lru_cache(maxsize=16)
def _starts(n: int) -> NDArray[np.int64]:
    """Which of `n` blocks are drawn: the same for all tickers with as many."""
    return np.random.default_rng(_SEED).integers(0, n, size=(_DRAWS, LIVE_ROWS // _BLOCK))


def _find_cause(known: Known) -> tuple[Cause, str]:
    checked = known.drifted[-drifting.OF :]
    drifted = f"The inputs had drifted in {int(checked.sum())} of the newest {len(checked)} sessions checked"
    if drifting.persists(checked):
        return "drift", f"{drifted}; {drifting.NEEDED} of {drifting.OF} are enough."
    live, band = _live_error(known)
    if band is not None:
        return "live_error", (
            f"The champion's newest {LIVE_ROWS} squared live errors average {live:.2f} forecast variances, "
            f"above the {band:.2f} that out-of-sample errors reach by chance once in {1 / (1 - BAND):.0f} times."
        )
    age = (known.session - known.trained_through).days
    if known.every is not None and age >= known.every.days:
        return "age", f"The models have learned nothing for {age} days; {known.every.days} are allowed."
    return "none", f"{drifted}, and live errors are within their band."


def _live_error(known: Known) -> tuple[float, float | None]:
    if len(known.live_errors) < LIVE_ROWS or len(known.reference_errors) < MIN_REFERENCE:
        return float("nan"), None
    live = float(np.mean(known.live_errors[-LIVE_ROWS:]))
    return live, _exceeded_band(live, known.reference_errors)
