"""Prediction intervals: conformal, scaled by a volatility forecast, corrected by how often they have missed since.

Split conformal prediction with normalised scores (Lei, G'Sell, Rinaldo, Tibshirani & Wasserman 2018, section 5.2). The
scores come from predictions made out of sample, so that a model that fits its training rows too well is not believed.
What was compared for the correction, and the figures, are in docs/adr/0072 and `benchmarks/adaptive.py`.
"""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from stock_assets.forecasting.errors import ArtifactMismatch, TooFewRows
from stock_assets.forecasting.models._base import Floats

LEVELS = (50, 80, 90, 95)
"""Levels every model publishes, in per cent."""
STEP = 0.02
"""How far one session moves the log of the correction: a miss of the 90 % interval widens it by 1.8 %, a hit narrows it
by 0.2 %."""
CAP = 3.0
"""The correction stays between 1 / CAP and CAP: no run of bad days, or of days without any trade, makes it useless."""

_SCORES = "scores_in_time_order"


@dataclass(frozen=True)
class Calibration:
    """Conformal scores |residual| / volatility of rows predicted out of sample.

    Attributes:
        scores: in order of time, dimensionless, shape (n,).
    """

    scores: tuple[float, ...]

    @classmethod
    def from_residuals(cls, residuals: Floats, volatility: Floats) -> "Calibration":
        """From out-of-sample residuals and the volatility forecasts of the same rows, in order of time, shape (n,).

        Raises:
            TooFewRows: fewer rows than the highest level needs.
        """
        return cls._checked(np.abs(residuals) / volatility)

    @classmethod
    def pooled(cls, parts: Iterable["Calibration"]) -> "Calibration":
        """The scores of several sets of rows together, the earliest set first."""
        return cls._checked(np.concatenate([np.asarray(part.scores) for part in parts]))

    @classmethod
    def _checked(cls, scores: Floats) -> "Calibration":
        # ceil((n + 1) · level) must not exceed n, or the interval is the whole line.
        needed = int(np.ceil(max(LEVELS) / (100 - max(LEVELS))))
        if len(scores) < needed:
            raise TooFewRows(
                f"{len(scores)} out-of-sample predictions to calibrate intervals on, and a {max(LEVELS)} % interval "
                f"needs {needed}",
                cure="fetch a longer history (--lookback) or leave this ticker out",
            )
        if not np.isfinite(scores).all():
            raise ValueError(
                "conformal scores must be finite: give only rows with a prediction, a label and a volatility"
            )
        return cls(tuple(scores.tolist()))

    def quantile(self, level: int) -> float:
        """Half width of the `level` % interval in units of volatility: the ⌈(n + 1) · level⌉-th smallest score."""
        # In whole numbers: (n + 1) · 0.9 in floating point can land just above the integer it should be.
        rank = -(-(len(self.scores) + 1) * level // 100)
        return sorted(self.scores)[rank - 1]

    def quantiles(self) -> dict[str, float]:
        """Level → half width of the interval in units of volatility, as a manifest holds them."""
        return {str(level): self.quantile(level) for level in LEVELS}

    def half_widths(self, scores: Floats, *, step: float = STEP) -> tuple[Floats, NDArray[np.int64]]:
        """Half widths of the intervals of later rows in units of volatility, each corrected by the rows before it.

        Quantile tracking, the proportional part of conformal PID control (Angelopoulos, Candès & Tibshirani 2023,
        section 2.1), on the log of the half width, so that one step suits every level and no width is negative. It
        runs through the calibration's own scores first, and so starts where they end.

        Args:
            scores: |residual| / volatility of the later rows in order of time, shape (n,). A row's width depends on the
                scores above it only. NaN, where the outcome is not known or not to be learned from, changes nothing.
            step: how far one session moves the log of the correction.

        Returns:
            Half widths, shape (n, len(LEVELS)), finite and ascending along a row; and how many of a row's levels were
            held at `CAP`, shape (n,).
        """
        start = np.array([self.quantile(level) for level in LEVELS])
        factors = _track(np.array([*self.scores, *scores]), start, step)[len(self.scores) :]
        return _nested(start * factors), (factors >= CAP).sum(axis=1)

    def to_json(self) -> dict[str, Any]:
        """The scores."""
        return {_SCORES: list(self.scores)}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Calibration":
        """Inverse of `to_json`.

        Raises:
            ArtifactMismatch: the scores were stored without their order in time, by a version that had no correction.
        """
        if _SCORES not in stored:
            raise ArtifactMismatch(
                f"a calibration holds {', '.join(sorted(stored)) or 'nothing'}, expected {_SCORES}",
                cure="train the model again (stock-assets train)",
            )
        return cls(tuple(float(score) for score in stored[_SCORES]))


def _track(scores: Floats, start: Floats, step: float) -> Floats:
    """Correction of each row before its score is known, shape (n, len(start))."""
    # Plain numbers, for arrays of four are ten times slower.
    steps = [(step * level / 100, -step * (100 - level) / 100) for level in LEVELS]
    limit = float(np.log(CAP))
    with np.errstate(divide="ignore"):  # a score or a start of zero is a logarithm of minus infinity, which is meant
        log_start, log_scores = np.log(start).tolist(), np.log(scores).tolist()
    state = [0.0] * len(LEVELS)
    states = []
    for log_score in log_scores:
        states.append(tuple(state))
        if math.isnan(log_score):
            continue
        widest = -math.inf
        for i, (widen, narrow) in enumerate(steps):
            widest = max(widest, log_start[i] + states[-1][i])
            state[i] = min(limit, max(-limit, state[i] + (widen if log_score > widest else narrow)))
    at_limit = np.array(states) >= limit
    return np.where(at_limit, CAP, np.exp(np.array(states)))


def _nested(half_widths: Floats) -> Floats:
    """No interval narrower than one of a lower level."""
    return np.maximum.accumulate(half_widths, axis=-1)
