"""How much of what a model says is to be believed, estimated on predictions it made out of sample."""

from dataclasses import asdict, dataclass

import numpy as np

from stock_assets.forecasting.models._base import Floats


@dataclass(frozen=True)
class Shrinkage:
    """The sums that decide by how much predictions are shrunk toward zero, the random walk.

    Attributes:
        n: rows.
        cross: sum of prediction times outcome.
        predicted_square: sum of squared predictions.
        actual_square: sum of squared outcomes.
    """

    n: int
    cross: float
    predicted_square: float
    actual_square: float

    @classmethod
    def measure(cls, predicted: Floats, actual: Floats) -> "Shrinkage":
        """From out-of-sample predictions and what happened, log returns of shape (n,)."""
        return cls(
            n=len(predicted),
            cross=float(predicted @ actual),
            predicted_square=float(np.square(predicted).sum()),
            actual_square=float(np.square(actual).sum()),
        )

    def __add__(self, other: "Shrinkage") -> "Shrinkage":
        """The sums over both sets of rows."""
        return Shrinkage(
            self.n + other.n,
            self.cross + other.cross,
            self.predicted_square + other.predicted_square,
            self.actual_square + other.actual_square,
        )

    @property
    def coefficient(self) -> float:
        """Factor in [0, 1] for the predictions: the non-negative garrote (Breiman 1995) on their slope.

        The least-squares slope b of outcomes on predictions, without intercept, times 1 − s²/b², where s is its
        standard error if the predictions say nothing; 0 where b < s. A slope that chance explains is not believed.
        """
        if self.predicted_square <= 0.0 or self.cross <= 0.0:
            return 0.0
        slope = self.cross / self.predicted_square
        chance = self.actual_square / self.n / self.predicted_square
        return float(np.clip(slope - chance / slope, 0.0, 1.0))

    def to_json(self) -> dict[str, float]:
        """Its sums and, for people, the coefficient."""
        return {**asdict(self), "coefficient": self.coefficient}

    @classmethod
    def from_json(cls, stored: dict[str, float]) -> "Shrinkage":
        """Inverse of `to_json`."""
        return cls(int(stored["n"]), stored["cross"], stored["predicted_square"], stored["actual_square"])
