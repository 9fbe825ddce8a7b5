"""A random forest (scikit-learn) on the feature table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self
from zipfile import ZIP_DEFLATED

import numpy as np
import pandas as pd

from stock_assets.forecasting.models._base import Fitted, Floats, Progress
from stock_assets.forecasting.models._tabular import (
    TABULAR_CONTEXT,
    TabularForecaster,
    by_target,
    input_rows,
    training_table,
)
from stock_assets.forecasting.models._windows import to_log_return

if TYPE_CHECKING:
    from sklearn.ensemble import RandomForestRegressor

_FILE = "model.skops"
# A hostile file of this type can crash the reader; the store has checked the file's hash before it gets here.
_TRUSTED = ["sklearn.tree._tree.Tree"]


@dataclass(frozen=True, kw_only=True)
class RandomForest(TabularForecaster):
    """Averaged shallow trees with wide leaves, so that noise is not learned; scikit-learn's own for the target "price".

    Attributes:
        n_estimators: trees.
        max_depth: splits in a row; 0 sets no limit.
        min_leaf_share: fewest rows in a leaf, as a share of the training rows; 0 allows single rows.
        max_features: share of features each split may choose from.
    """

    name: ClassVar[str] = "random_forest"
    description: ClassVar[str] = "Averaged shallow decision trees on the feature table."
    libraries: ClassVar[tuple[str, ...]] = ("scikit-learn", "skops")
    min_rows: ClassVar[int] = 120
    context: ClassVar[int | None] = TABULAR_CONTEXT
    calibration_folds: ClassVar[int] = 3
    uses_features: ClassVar[bool] = True
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "max_depth": (2, 3, 4, 6, 8),
        "min_leaf_share": (0.02, 0.05, 0.1),
        "max_features": (0.2, 0.33, 0.5, 1.0),
    }

    n_estimators: int = by_target(log_return=200, price=100)
    max_depth: int = by_target(log_return=4, price=0)
    min_leaf_share: float = by_target(log_return=0.05, price=0.0)
    max_features: float = by_target(log_return=0.33, price=1.0)

    @classmethod
    def fast(cls, **settings: Any) -> Self:
        """Fewer trees."""
        return cls(**{"n_estimators": 50, **settings})

    def _fit(self, history: pd.DataFrame, progress: Progress) -> "FittedRandomForest":
        from sklearn.ensemble import RandomForestRegressor

        table = training_table(history, self.target)
        forest = RandomForestRegressor(
            n_estimators=self.n_estimators,
            max_depth=self.max_depth or None,
            min_samples_leaf=self.min_leaf_share or 1,
            max_features=self.max_features,
            random_state=self.seed,
            n_jobs=1,
        )
        progress(f"{self.n_estimators} trees on {len(table.labels)} rows")
        forest.fit(pd.DataFrame(table.inputs, columns=list(table.columns)), table.labels)
        return FittedRandomForest(self, forest)

    @classmethod
    def load(cls, folder: Path, settings: dict[str, Any]) -> "FittedRandomForest":
        """Read the forest with skops, which builds named types only."""
        import skops.io

        return FittedRandomForest(cls(**settings), skops.io.load(folder / _FILE, trusted=_TRUSTED))


@dataclass(frozen=True)
class FittedRandomForest(Fitted):
    """A forest, which knows the names of its inputs."""

    forecaster: RandomForest
    forest: "RandomForestRegressor"

    def predict(self, history: pd.DataFrame) -> Floats:
        """Predicted log return of every row, shape (len(history),); NaN where an input is missing."""
        names = tuple(self.forest.feature_names_in_)
        inputs, is_complete = input_rows(history, names)
        predicted = np.full(len(history), np.nan)
        if is_complete.any():
            predicted[is_complete] = self.forest.predict(pd.DataFrame(inputs[is_complete], columns=list(names)))
        return to_log_return(predicted, history["adj_close"].to_numpy(float), self.forecaster.target)

    def save(self, folder: Path) -> None:
        """Write the forest with skops."""
        import skops.io

        skops.io.dump(self.forest, folder / _FILE, compression=ZIP_DEFLATED)
