"""Gradient-boosted trees (XGBoost) on the feature table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from stock_assets.forecasting.models._base import Fitted, Floats, Progress
from stock_assets.forecasting.models._tabular import (
    TABULAR_CONTEXT,
    TabularForecaster,
    TrainingTable,
    by_target,
    input_rows,
    training_table,
)
from stock_assets.forecasting.models._windows import to_log_return

if TYPE_CHECKING:
    from xgboost import Booster

_FILE = "model.ubj"
_PROGRESS_EVERY = 50


@dataclass(frozen=True, kw_only=True)
class XGBoost(TabularForecaster):
    """Boosted shallow trees, held back so that noise is not learned; for the target "price" XGBoost's own defaults.

    Attributes:
        n_estimators: boosting rounds.
        max_depth: splits in a row; 2 allows interactions of two features.
        learning_rate: share of each tree that is added.
        min_child_rows: fewest rows in a leaf (rows have unit weight under squared error).
        subsample: share of rows each tree sees.
        colsample: share of features each tree sees.
        reg_lambda: ridge penalty on leaf values.
    """

    name: ClassVar[str] = "xgboost"
    description: ClassVar[str] = "Gradient-boosted shallow trees on the feature table."
    libraries: ClassVar[tuple[str, ...]] = ("xgboost",)
    min_rows: ClassVar[int] = 120
    context: ClassVar[int | None] = TABULAR_CONTEXT
    calibration_folds: ClassVar[int] = 3
    uses_features: ClassVar[bool] = True
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "n_estimators": (50, 150, 300),
        "max_depth": (1, 2, 3),
        "learning_rate": (0.01, 0.03, 0.1),
        "min_child_rows": (20, 40, 80),
        "subsample": (0.5, 0.8),
        "colsample": (0.3, 0.5, 0.8),
        "reg_lambda": (1.0, 10.0, 100.0),
    }

    n_estimators: int = by_target(log_return=150, price=100)
    max_depth: int = by_target(log_return=2, price=6)
    learning_rate: float = by_target(log_return=0.03, price=0.3)
    min_child_rows: int = by_target(log_return=40, price=1)
    subsample: float = by_target(log_return=0.5, price=1.0)
    colsample: float = by_target(log_return=0.5, price=1.0)
    reg_lambda: float = by_target(log_return=10.0, price=1.0)

    def _fit(self, history: pd.DataFrame, progress: Progress) -> "FittedXGBoost":
        import xgboost

        table = training_table(history, self.target)
        center, scale = self._label_scale(table)
        rows = xgboost.DMatrix(table.inputs, label=(table.labels - center) / scale)
        booster = xgboost.train(
            self._parameters(),
            rows,
            num_boost_round=self.n_estimators,
            callbacks=[_reporter(progress, self.n_estimators)],
        )
        booster.feature_names = list(table.columns)  # not given above: every round would compare them again
        booster.set_attr(center=repr(center), scale=repr(scale))
        return FittedXGBoost(self, booster)

    def _label_scale(self, table: TrainingTable) -> tuple[float, float]:
        center = 0.0 if self.target == "log_return" else float(table.labels.mean())
        return center, float(table.labels.std()) or 1.0

    def standardisation(self, history: pd.DataFrame) -> Mapping[str, Floats]:
        """Centre and scale of the labels learned from."""
        return {"label": np.array(self._label_scale(training_table(history, self.target)))}

    def _parameters(self) -> dict[str, Any]:
        return {
            "objective": "reg:squarederror",
            "base_score": 0.0,
            "tree_method": "hist",
            "nthread": 1,
            "seed": self.seed,
            "max_depth": self.max_depth,
            "learning_rate": self.learning_rate,
            "min_child_weight": self.min_child_rows,
            "subsample": self.subsample,
            "colsample_bytree": self.colsample,
            "reg_lambda": self.reg_lambda,
        }

    @classmethod
    def load(cls, folder: Path, settings: dict[str, Any]) -> "FittedXGBoost":
        """Read the booster from XGBoost's own binary JSON."""
        import xgboost

        booster = xgboost.Booster({"nthread": 1})
        booster.load_model(folder / _FILE)
        return FittedXGBoost(cls(**settings), booster)


@dataclass(frozen=True)
class FittedXGBoost(Fitted):
    """A booster; the centre and scale of its labels and the names of its inputs are stored inside it."""

    forecaster: XGBoost
    booster: "Booster"

    def predict(self, history: pd.DataFrame) -> Floats:
        """Predicted log return of every row, shape (len(history),); NaN where an input is missing."""
        import xgboost

        names = self.booster.feature_names or []
        inputs, is_complete = input_rows(history, tuple(names))
        predicted = np.full(len(history), np.nan)
        if is_complete.any():
            raw = self.booster.predict(xgboost.DMatrix(inputs[is_complete], feature_names=names, nthread=1))
            center, scale = self.standardisation()["label"]
            predicted[is_complete] = center + scale * raw.astype(float)
        return to_log_return(predicted, history["adj_close"].to_numpy(float), self.forecaster.target)

    def standardisation(self) -> Mapping[str, Floats]:
        """See `XGBoost.standardisation`."""
        return {"label": np.array([float(self.booster.attr(key) or "nan") for key in ("center", "scale")])}

    def save(self, folder: Path) -> None:
        """Write the booster in XGBoost's binary JSON."""
        self.booster.save_model(folder / _FILE)


def _reporter(progress: Progress, n_rounds: int) -> Any:
    from xgboost.callback import TrainingCallback

    class Reporter(TrainingCallback):  # type: ignore[misc]
        def after_iteration(self, model: Any, epoch: int, evals_log: Any) -> bool:
            if (epoch + 1) % _PROGRESS_EVERY == 0 or epoch + 1 == n_rounds:
                progress(f"round {epoch + 1}/{n_rounds}")
            return False

    return Reporter()
