"""What combinations share: a weighted mean of what other models' stored fits publish. Nothing is fitted a second time.

Bates & Granger (1969), "The combination of forecasts", Operational Research Quarterly 20; Timmermann (2006), "Forecast
combinations", Handbook of Economic Forecasting 1.
"""

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Self

import numpy as np
import pandas as pd

from stock_assets.forecasting.errors import NotTrained, TooFewRows
from stock_assets.forecasting.models._base import Fitted, Floats, Forecaster, Progress

if TYPE_CHECKING:
    from stock_assets.forecasting.stored_model import StoredModel

LEAST_COMMON = 60
"""Out-of-fold sessions that all parents must share: a quarter of a year, below which an error is mostly chance."""
_FILE = "combination.json"


@dataclass(frozen=True, kw_only=True)
class Combination(Forecaster):
    """A model that learns only how much to listen to each of its `parents`.

    Attributes:
        of: the parents' stored fits, in the order of `parents`. Not a setting: `combining` puts them here.
    """

    libraries: ClassVar[tuple[str, ...]] = ("numpy",)
    min_rows: ClassVar[int] = 1
    context: ClassVar[int | None] = None
    uses_features: ClassVar[bool] = True
    parents: ClassVar[tuple[str, ...]] = ("sarima", "random_forest", "xgboost", "lstm_keras", "lstm_pytorch")

    of: "tuple[StoredModel, ...]" = field(default=(), compare=False, repr=False)

    def cure(self, command: str) -> str:
        """What to do about parents that cannot be combined: which command makes their fits."""
        return f"make all of them together (stock-assets {command} --models {','.join([*self.parents, self.name])})"

    def combining(self, parents: "Sequence[StoredModel]") -> Self:
        """This model with its parents at hand, ready to be fitted.

        Raises:
            NotTrained: they are not the models this one combines.
        """
        given = {parent.manifest.model: parent for parent in parents}
        if given.keys() != set(self.parents):
            raise NotTrained(
                f"{self.name} combines fits of {', '.join(self.parents)}, and was given {', '.join(given) or 'none'}",
                cure=self.cure("train"),
            )
        return replace(self, of=tuple(given[name] for name in self.parents))

    def out_of_fold(self) -> pd.DataFrame:
        """What each parent would have published on its calibration folds, on the sessions that all parents predicted.

        These rows lie in the training window and have selected nothing else: no setting, no champion.

        Returns:
            Indexed by session, ascending; one column of log returns for each parent, then `actual` and `volatility`.

        Raises:
            NotTrained: the parents are not at hand.
            TooFewRows: fewer sessions in common than `LEAST_COMMON`.
        """
        kept = {parent.manifest.model: parent.out_of_fold.set_index("session") for parent in self.combining(self.of).of}
        published = [rows["predicted"].rename(name) for name, rows in kept.items()]
        truth = kept[self.parents[0]][["actual", "volatility"]]
        common = pd.concat([*published, truth], axis=1, join="inner").sort_index()
        if len(common) < LEAST_COMMON:
            raise TooFewRows(
                f"{self.name} was given parents with {len(common)} out-of-fold sessions in common and needs "
                f"{LEAST_COMMON}",
                cure="train its parents again on a longer history (--lookback), or leave this model out (--models)",
            )
        return common

    def predict_out_of_fold(self) -> pd.DataFrame:
        """The weighted mean on the rows of `out_of_fold`: `session`, `predicted`, `actual` and `volatility`."""
        rows = self.out_of_fold()
        predicted = weighted_mean(self._weigh(rows), rows)
        return rows[["actual", "volatility"]].assign(predicted=predicted).reset_index()

    def settings(self) -> dict[str, Any]:
        """Hyper-parameters without the parents, whose versions are in the manifest."""
        kept = asdict(replace(self, of=()))
        del kept["of"]
        return kept

    def _fit(self, history: pd.DataFrame, progress: Progress) -> "FittedCombination":
        weights = self._weigh(self.out_of_fold())
        progress("weights " + ", ".join(f"{name} {weight:.3f}" for name, weight in weights.items()))
        return FittedCombination(self, weights)

    def _weigh(self, out_of_fold: pd.DataFrame) -> dict[str, float]:
        return dict(zip(self.parents, self.weights(out_of_fold).tolist(), strict=True))

    @abstractmethod
    def weights(self, out_of_fold: pd.DataFrame) -> Floats:
        """Weight of each parent, in order: not negative, sum 1, shape (len(parents),).

        Args:
            out_of_fold: as `out_of_fold` returns it.
        """

    @classmethod
    def load(cls, folder: Path, settings: dict[str, Any], parents: "Sequence[StoredModel]" = ()) -> "FittedCombination":
        """Read the weights; the parents are loaded and checked by the store.

        Raises:
            NotTrained: `parents` are not the models this one combines.
        """
        stored = json.loads((folder / _FILE).read_text())
        return FittedCombination(cls(**settings).combining(parents), stored["weights"])


@dataclass(frozen=True)
class FittedCombination(Fitted):
    """Weights, and the fits they belong to.

    Attributes:
        weights: parent → weight.
    """

    forecaster: Combination
    weights: Mapping[str, float]

    def predict(self, history: pd.DataFrame) -> Floats:
        """Weighted mean of the parents' published log returns, shape (len(history),); NaN where any has none."""
        published = {parent.manifest.model: parent.predict(history) for parent in self.forecaster.of}
        return weighted_mean(self.weights, published)

    def save(self, folder: Path) -> None:
        """Write the weights as JSON. The parents stay where they are, and the manifest names their versions."""
        (folder / _FILE).write_text(json.dumps({"weights": dict(self.weights)}, indent=1))


def weighted_mean(weights: Mapping[str, float], published: "Mapping[str, Floats] | pd.DataFrame") -> Floats:
    """Sum over parents of weight times what it published, shape of one parent's array."""
    # One term after the other: a matrix product may round a row differently when it stands alone.
    terms = [weight * np.asarray(published[name], dtype=np.float64) for name, weight in weights.items()]
    return np.asarray(sum(terms[1:], terms[0]))
