"""Least squares on the feature table: the plainest model with parameters. A control, not a model of the platform."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stock_assets.forecasting.features import FEATURES
from stock_assets.forecasting.models._base import Fitted, Floats, Forecaster, Progress
from stock_assets.forecasting.models._tabular import TABULAR_CONTEXT, input_rows

_FILE = "coefficients.json"
_COLUMNS = tuple(feature.name for feature in FEATURES)


@dataclass(frozen=True, kw_only=True)
class LeastSquares(Forecaster):
    """Ordinary least squares of the next log return on the same features as the trees, with an intercept."""

    name: ClassVar[str] = "least_squares"
    description: ClassVar[str] = "Ordinary least squares on the feature table."
    libraries: ClassVar[tuple[str, ...]] = ("numpy",)
    min_rows: ClassVar[int] = 120
    context: ClassVar[int | None] = TABULAR_CONTEXT
    calibration_folds: ClassVar[int] = 3
    uses_features: ClassVar[bool] = True

    def _fit(self, history: pd.DataFrame, progress: Progress) -> "FittedLeastSquares":
        inputs, is_complete = self.inputs(history)
        label = history["target_log_return"].to_numpy(dtype=float)
        is_usable = is_complete & np.isfinite(label)
        coefficients = np.linalg.lstsq(inputs[is_usable], label[is_usable], rcond=None)[0]
        return FittedLeastSquares(self, tuple(coefficients.tolist()))

    def inputs(self, history: pd.DataFrame) -> tuple[Floats, NDArray[np.bool_]]:
        """Features and a column of ones, shape (len(history), 1 + features), and which rows are complete."""
        values, is_complete = input_rows(history, _COLUMNS)
        return np.column_stack([values, np.ones(len(values))]), is_complete

    @classmethod
    def load(cls, folder: Path, settings: dict[str, Any]) -> "FittedLeastSquares":
        """Read the coefficients."""
        return FittedLeastSquares(cls(**settings), tuple(json.loads((folder / _FILE).read_text(encoding="utf-8"))))


@dataclass(frozen=True)
class FittedLeastSquares(Fitted):
    """Coefficients in the order of `LeastSquares.inputs`."""

    forecaster: LeastSquares
    coefficients: tuple[float, ...]

    def predict(self, history: pd.DataFrame) -> Floats:
        """Predicted log return of every row, shape (len(history),); NaN where an input is missing."""
        inputs, is_complete = self.forecaster.inputs(history)
        # Row by row: the rounding of a matrix product depends on how many rows there are, and the audit would see it.
        return np.where(is_complete, (inputs * np.asarray(self.coefficients)).sum(axis=1), np.nan)

    def save(self, folder: Path) -> None:
        """Write the coefficients as JSON."""
        (folder / _FILE).write_text(json.dumps(self.coefficients), encoding="utf-8")


def shuffle_labels(history: pd.DataFrame, *, seed: int) -> pd.DataFrame:
    """The history with its known labels in another order, which breaks every link between inputs and labels."""
    label = history["target_log_return"].to_numpy(dtype=float).copy()
    is_known = np.flatnonzero(np.isfinite(label))
    label[is_known] = label[np.random.default_rng([seed, len(history)]).permutation(is_known)]
    return history.assign(target_log_return=label)


def permuted(model: type[Forecaster]) -> type[Forecaster]:
    """The same model, whose every fit learns from shuffled labels.

    What it predicts, and what happened, is left alone: only the training history of each fit is shuffled.
    """

    @dataclass(frozen=True, kw_only=True)
    class Permuted(model):  # type: ignore[valid-type,misc]
        def _fit(self, history: pd.DataFrame, progress: Progress) -> Fitted:
            fitted: Fitted = super()._fit(shuffle_labels(history, seed=self.seed), progress)
            return fitted

        def standardisation(self, history: pd.DataFrame) -> Mapping[str, Floats]:
            # The audit asks whether a fit's scales are those of its training rows: here, of the shuffled ones.
            scales: Mapping[str, Floats] = super().standardisation(shuffle_labels(history, seed=self.seed))
            return scales

    return Permuted
