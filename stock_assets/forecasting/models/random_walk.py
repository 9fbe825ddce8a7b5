"""The benchmark: tomorrow equals today. No drift term, nothing to learn."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from stock_assets.forecasting.models._base import Fitted, Floats, Forecaster, Progress


@dataclass(frozen=True, kw_only=True)
class RandomWalk(Forecaster):
    """The next close is the last close: a log return of exactly zero."""

    name: ClassVar[str] = "random_walk"
    description: ClassVar[str] = "Tomorrow's close is today's: the benchmark every model has to beat."
    libraries: ClassVar[tuple[str, ...]] = ("numpy",)
    min_rows: ClassVar[int] = 2
    context: ClassVar[int | None] = 1

    def _fit(self, history: pd.DataFrame, progress: Progress) -> "FittedRandomWalk":
        return FittedRandomWalk(self)

    @classmethod
    def load(cls, folder: Path, settings: dict[str, Any]) -> "FittedRandomWalk":
        """Nothing to read."""
        return FittedRandomWalk(cls(**settings))


@dataclass(frozen=True)
class FittedRandomWalk(Fitted):
    """A random walk, which has no parameters."""

    forecaster: RandomWalk

    def predict(self, history: pd.DataFrame) -> Floats:
        """Zero for every row, shape (len(history),)."""
        return np.zeros(len(history))

    def save(self, folder: Path) -> None:
        """Nothing to write: the manifest says it all."""
