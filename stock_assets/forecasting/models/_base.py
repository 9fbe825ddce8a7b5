"""The contract of a model: `Forecaster.fit → Fitted.predict → save / load`.

A `Forecaster` is hyper-parameters only (a frozen dataclass); a `Fitted` is what was learned. Both see one *history*:
the frame of one ticker that `stock_assets.forecasting.history.build_history` makes, one row per session in ascending
order.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, ClassVar, Literal, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stock_assets.forecasting.errors import TooFewRows

Floats = NDArray[np.float64]
Progress = Callable[[str], None]
Target = Literal["log_return", "price"]
_LOSSES_FILE = "losses.json"


def quiet(message: str) -> None:
    """Progress nobody listens to."""


@dataclass(frozen=True, kw_only=True)
class Forecaster(ABC):
    """Hyper-parameters of one model.

    Attributes:
        seed: every random choice of the fit derives from it.
        target: what is learned: the next log return, or the next price level (the reference formulation).
    """

    name: ClassVar[str]
    description: ClassVar[str]
    libraries: ClassVar[tuple[str, ...]]
    """Distributions whose versions belong in the manifest; the first is shown as the asset's kind."""
    min_rows: ClassVar[int]
    """Fewest history rows `fit` accepts."""
    context: ClassVar[int | None]
    """Rows of history (the current one included) a prediction needs; None: all of it."""
    calibration_folds: ClassVar[int] = 2
    """Inner folds of the training rows whose out-of-fold predictions calibrate intervals and shrinkage."""
    backtest_refit_every: ClassVar[int] = 1
    """Folds of a backtest that share one fit; more than 1 for a model that takes long to fit."""
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {}
    """Setting → values a search may try; empty for a model without settings worth searching."""

    uses_features: ClassVar[bool] = False
    """Whether its inputs are the columns of the feature table, whose formulas then belong to the fit."""
    is_exact: ClassVar[bool] = True
    """Whether it answers one row alone and in a batch with the same bits; networks add in an order of their own."""

    seed: int = 0
    target: Target = "log_return"

    @classmethod
    def fast(cls, **settings: Any) -> Self:
        """Small settings for a look in seconds. Models that are quick anyway keep their defaults."""
        return cls(**settings)

    def fit(self, history: pd.DataFrame, progress: Progress = quiet) -> "Fitted":
        """Learn from a history all of whose rows have a label (`target_log_return`). The history is not changed.

        Raises:
            TooFewRows: naming the rows given and the rows needed.
        """
        if len(history) < self.min_rows:
            raise TooFewRows(
                f"{self.name} was given {len(history)} sessions to learn from and needs {self.min_rows}",
                cure="fetch a longer history (--lookback) or leave this ticker out",
            )
        return self._fit(history, progress)

    def standardisation(self, history: pd.DataFrame) -> Mapping[str, Floats]:
        """Scales that a fit on `history` holds, computed from it alone; the audit compares. None for most models."""
        return {}

    @abstractmethod
    def _fit(self, history: pd.DataFrame, progress: Progress) -> "Fitted": ...

    @classmethod
    @abstractmethod
    def load(cls, folder: Path, settings: dict[str, Any]) -> "Fitted":
        """Read what `Fitted.save` wrote. Only `artifacts.ArtifactStore.load` calls this, after checking every hash."""

    def settings(self) -> dict[str, Any]:
        """Hyper-parameters as JSON-able values; `type(self)(**settings)` gives an equal forecaster."""
        return asdict(self)


@dataclass(frozen=True)
class Losses:
    """Loss after each epoch, on the scale the model is trained on; both of length epochs.

    Attributes:
        train: over the rows learned from.
        validation: over the later rows that stop the training, never learned from.
    """

    train: tuple[float, ...]
    validation: tuple[float, ...]

    def to_files(self) -> dict[str, str]:
        """As the file that an artifact keeps: file name → content."""
        return {_LOSSES_FILE: json.dumps(asdict(self), indent=1)}

    @classmethod
    def from_files(cls, files: Mapping[str, bytes]) -> "Losses | None":
        """Inverse of `to_files`, of an artifact's files; None where it keeps no losses."""
        if _LOSSES_FILE not in files:
            return None
        epochs = json.loads(files[_LOSSES_FILE])
        return cls(tuple(epochs["train"]), tuple(epochs["validation"]))


class Fitted(ABC):
    """What was learned by one fit."""

    forecaster: Forecaster
    losses: Losses | None = None
    """How the fit went, of models that learn in epochs."""

    @abstractmethod
    def predict(self, history: pd.DataFrame) -> Floats:
        """Predicted log return to the next session for every row of `history`, shape (len(history),).

        The value of a row uses that row and earlier ones only; NaN where there is too little context before it.
        """

    def standardisation(self) -> Mapping[str, Floats]:
        """The scales it holds, as `Forecaster.standardisation` names them."""
        return {}

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write into the existing, empty `folder`, in formats that can be read without running code."""
