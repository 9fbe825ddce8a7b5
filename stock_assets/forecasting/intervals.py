"""Prediction intervals: conformal, scaled by a volatility forecast.

Split conformal prediction with normalised scores (Lei, G'Sell, Rinaldo, Tibshirani & Wasserman 2018, section 5.2). The
scores come from predictions made out of sample, so that a model that fits its training rows too well is not believed.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from stock_assets.forecasting.errors import TooFewRows
from stock_assets.forecasting.models._base import Floats

LEVELS = (50, 80, 90, 95)
"""Levels every model publishes, in per cent."""


@dataclass(frozen=True)
class Calibration:
    """Conformal scores |residual| / volatility of rows predicted out of sample.

    Attributes:
        scores: ascending, dimensionless, shape (n,).
    """

    scores: tuple[float, ...]

    @classmethod
    def from_residuals(cls, residuals: Floats, volatility: Floats) -> "Calibration":
        """From out-of-sample residuals and the volatility forecasts of the same rows, both in log returns, shape (n,).

        Raises:
            TooFewRows: fewer rows than the highest level needs.
        """
        return cls._checked(np.abs(residuals) / volatility)

    @classmethod
    def pooled(cls, parts: Iterable["Calibration"]) -> "Calibration":
        """The scores of several sets of rows together."""
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
        return cls(tuple(np.sort(scores).tolist()))

    def quantile(self, level: int) -> float:
        """Half width of the `level` % interval in units of volatility: the ⌈(n + 1) · level⌉-th smallest score."""
        # In whole numbers: (n + 1) · 0.9 in floating point can land just above the integer it should be.
        rank = -(-(len(self.scores) + 1) * level // 100)
        return self.scores[rank - 1]

    def bounds(self, point: Floats, volatility: Floats, level: int) -> tuple[Floats, Floats]:
        """Lower and upper end of the `level` % interval, log returns of the shape of `point`."""
        half = self.quantile(level) * volatility
        return point - half, point + half

    def to_json(self) -> dict[str, Any]:
        """The scores."""
        return {"scores": list(self.scores)}

    @classmethod
    def from_json(cls, stored: dict[str, Any]) -> "Calibration":
        """Inverse of `to_json`."""
        return cls(tuple(float(score) for score in stored["scores"]))
