"""How much of what a model says is to be believed, estimated on predictions it made out of sample."""

from dataclasses import asdict, dataclass

import numpy as np

from stock_assets.forecasting.models._base import Floats

LEAST = 0.1
"""Share of a prediction that always remains. A model silenced to exactly 0 could not be tested any more: Clark-West and
direction look at what it says, not at how loudly, and only the models lucky on their inner folds would face them."""


@dataclass(frozen=True)
class Shrinkage:
    """The sums that decide by how much predictions are shrunk toward zero, the random walk.

    Attributes:
        n: rows.
        cross: sum of prediction times outcome, both in units of the row's volatility.
        predicted_square: sum of squared predictions in those units.
    """

    n: int
    cross: float
    predicted_square: float

    @classmethod
    def measure(cls, predicted: Floats, actual: Floats, volatility: Floats) -> "Shrinkage":
        """From out-of-sample predictions, what happened, and volatility forecasts: log returns of shape (n,)."""
        scaled = predicted / volatility
        return cls(len(predicted), float(scaled @ (actual / volatility)), float(scaled @ scaled))

    def __add__(self, other: "Shrinkage") -> "Shrinkage":
        """The sums over both sets of rows."""
        return Shrinkage(self.n + other.n, self.cross + other.cross, self.predicted_square + other.predicted_square)

    @property
    def coefficient(self) -> float:
        """Factor for the predictions: the slope of outcomes on predictions, held to [`LEAST`, 1]; 0 if there are none.

        Without intercept (Mincer & Zarnowitz 1969) and by weighted least squares, so that a few restless weeks do not
        decide. Never above 1: out-of-sample predictions are not a reason to say more than the model does.
        """
        if self.predicted_square <= 0.0:
            return 0.0
        return float(np.clip(self.cross / self.predicted_square, LEAST, 1.0))

    def to_json(self) -> dict[str, float]:
        """Its sums and, for people, the coefficient."""
        return {**asdict(self), "coefficient": self.coefficient}

    @classmethod
    def from_json(cls, stored: dict[str, float]) -> "Shrinkage":
        """Inverse of `to_json`."""
        return cls(int(stored["n"]), stored["cross"], stored["predicted_square"])
