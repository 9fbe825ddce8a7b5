"""A random forest (scikit-learn) on the feature table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

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

_FILE = "trees.npz"
_SKOPS_FILE = "model.skops"
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
    libraries: ClassVar[tuple[str, ...]] = ("scikit-learn",)
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
        return FittedRandomForest(self, Trees.of(forest))

    @classmethod
    def load(cls, folder: Path, settings: dict[str, Any]) -> "FittedRandomForest":
        """Read the trees; skops, which builds named types only, reads fits from before they were plain arrays."""
        forecaster = cls(**settings)
        if (folder / _FILE).exists():
            with np.load(folder / _FILE, allow_pickle=False) as arrays:
                stored = {name: arrays[name] for name in arrays.files}
            return FittedRandomForest(forecaster, Trees(tuple(stored.pop("columns").tolist()), **stored))
        import skops.io

        return FittedRandomForest(forecaster, Trees.of(skops.io.load(folder / _SKOPS_FILE, trusted=_TRUSTED)))


@dataclass(frozen=True, eq=False)
class Trees:
    """A forest as plain arrays: loaded in a millisecond, and read without running code.

    Attributes:
        columns: names of the inputs, in order.
        roots: node at which each tree begins, shape (trees,); the others have one value a node, of all trees in turn.
        left: node to go to where the input is at most the threshold; -1 in a leaf.
        right: node to go to where it is above.
        feature: position of the input that is compared.
        threshold: what it is compared with.
        value: what a leaf says.
    """

    columns: tuple[str, ...]
    roots: NDArray[np.int64]
    left: NDArray[np.int64]
    right: NDArray[np.int64]
    feature: NDArray[np.int64]
    threshold: Floats
    value: Floats

    @classmethod
    def of(cls, forest: "RandomForestRegressor") -> "Trees":
        """The trees of a fitted forest."""
        trees = [estimator.tree_ for estimator in forest.estimators_]
        roots = np.cumsum([0, *(tree.node_count for tree in trees)])[:-1].astype(np.int64)

        def joined(children: str) -> NDArray[np.int64]:
            found = [getattr(tree, children).astype(np.int64) for tree in trees]
            return np.concatenate([np.where(of >= 0, of + root, of) for of, root in zip(found, roots, strict=True)])

        return cls(
            tuple(map(str, forest.feature_names_in_)),
            roots,
            joined("children_left"),
            joined("children_right"),
            np.concatenate([tree.feature for tree in trees]).astype(np.int64),
            np.concatenate([tree.threshold for tree in trees]),
            np.concatenate([tree.value[:, 0, 0] for tree in trees]),
        )

    def predict(self, inputs: Floats) -> Floats:
        """Mean over the trees for each row of `inputs`, shape (rows,): the same bits as scikit-learn's.

        Args:
            inputs: finite, shape (rows, len(columns)).
        """
        single = inputs.astype(np.float32)  # what scikit-learn compares
        rows = np.arange(len(single))[:, np.newaxis]
        node = np.broadcast_to(self.roots, (len(single), len(self.roots)))
        while (is_inner := self.left[node] >= 0).any():
            is_left = single[rows, np.maximum(self.feature[node], 0)] <= self.threshold[node]
            node = np.where(is_inner, np.where(is_left, self.left[node], self.right[node]), node)
        total = np.zeros(len(single))
        for said in self.value[node].T:  # one tree after the other, as scikit-learn adds them
            total += said
        return total / len(self.roots)


@dataclass(frozen=True)
class FittedRandomForest(Fitted):
    """A forest, which knows the names of its inputs."""

    forecaster: RandomForest
    trees: Trees

    def predict(self, history: pd.DataFrame) -> Floats:
        """Predicted log return of every row, shape (len(history),); NaN where an input is missing."""
        inputs, is_complete = input_rows(history, self.trees.columns)
        predicted = np.full(len(history), np.nan)
        if is_complete.any():
            predicted[is_complete] = self.trees.predict(inputs[is_complete])
        return to_log_return(predicted, history["adj_close"].to_numpy(float), self.forecaster.target)

    def save(self, folder: Path) -> None:
        """Write the arrays."""
        arrays = {field.name: getattr(self.trees, field.name) for field in fields(self.trees)}
        np.savez_compressed(folder / _FILE, **(arrays | {"columns": np.array(self.trees.columns)}))
