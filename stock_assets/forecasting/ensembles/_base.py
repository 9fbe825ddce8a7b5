"""What ensembles share: a weighted mean of what other models publish. Nothing is fitted a second time.

Bates & Granger (1969), "The combination of forecasts", Operational Research Quarterly 20; Timmermann (2006), "Forecast
combinations", Handbook of Economic Forecasting 1.
"""

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import pandas as pd

from stock_assets.forecasting.errors import TooFewRows
from stock_assets.forecasting.models._base import Fitted, Floats, Target

if TYPE_CHECKING:
    from stock_assets.forecasting.stored_model import StoredModel

LEAST_COMMON = 60
"""Out-of-fold sessions that all members must share: a quarter of a year, below which an error is mostly chance."""
LEAST_MEMBERS = 2
_FILE = "combination.json"


@dataclass(frozen=True, kw_only=True)
class Ensemble(ABC):
    """What learns only how much to listen to each of its members.

    Attributes:
        seed: as every model's settings have one; nothing is drawn here.
        target: what its members learned.
    """

    name: ClassVar[str]
    description: ClassVar[str]
    libraries: ClassVar[tuple[str, ...]] = ("numpy",)

    seed: int = 0
    target: Target = "log_return"

    @abstractmethod
    def weights(self, out_of_fold: pd.DataFrame) -> Floats:
        """Weight of each member, in the order of the columns: not negative, sum 1.

        Args:
            out_of_fold: as `common_rows` returns it.
        """

    def settings(self) -> dict[str, Any]:
        """Its settings as JSON-able values."""
        return asdict(self)

    def standardisation(self, history: pd.DataFrame) -> Mapping[str, Floats]:
        """It holds no scales."""
        return {}


def common_rows(name: str, members: "Sequence[StoredModel]") -> pd.DataFrame:
    """What each member would have published on its calibration folds, on the sessions that all members predicted.

    These rows lie in the training window and have selected nothing else: no setting, no champion.

    Args:
        name: of the ensemble, for the message.
        members: their stored fits of one kind.

    Returns:
        Indexed by session, ascending; one column of log returns for each member, then `actual` and `volatility`.

    Raises:
        TooFewRows: fewer sessions in common than `LEAST_COMMON`.
    """
    kept = {member.manifest.model: member.out_of_fold.set_index("session") for member in members}
    published = [rows["predicted"].rename(model) for model, rows in kept.items()]
    truth = next(iter(kept.values()))[["actual", "volatility"]]
    common = pd.concat([*published, truth], axis=1, join="inner").sort_index()
    if len(common) < LEAST_COMMON:
        raise TooFewRows(
            f"{name} was given members with {len(common)} out-of-fold sessions in common and needs {LEAST_COMMON}",
            cure="train its members again on a longer history (--lookback), or leave it out (--models)",
        )
    return common


@dataclass(frozen=True)
class FittedEnsemble(Fitted):
    """Weights, and the fits they belong to.

    Attributes:
        forecaster: the ensemble.
        weights: member → weight.
        find: gives their stored fits; asked only where somebody wants predictions that are not stored.
    """

    forecaster: Ensemble  # type: ignore[assignment]  # what is shown as the model of a fit
    weights: Mapping[str, float]
    find: "Callable[[], Sequence[StoredModel]]" = field(compare=False, repr=False)

    @cached_property
    def members(self) -> "Sequence[StoredModel]":
        """The stored fits of the members."""
        return self.find()

    def predict(self, history: pd.DataFrame) -> Floats:
        """Weighted mean of the members' published log returns, shape (len(history),); NaN where any has none."""
        return weighted_mean(self.weights, {member.manifest.model: member.predict(history) for member in self.members})

    def save(self, folder: Path) -> None:
        """Write the weights as JSON. The members stay where they are, and the manifest names their versions."""
        (folder / _FILE).write_text(json.dumps({"weights": dict(self.weights)}, indent=1))

    @classmethod
    def load(cls, folder: Path, ensemble: Ensemble, find: "Callable[[], Sequence[StoredModel]]") -> "FittedEnsemble":
        """Read what `save` wrote; the members are checked by the store, and read when somebody wants them."""
        return cls(ensemble, json.loads((folder / _FILE).read_text())["weights"], find)


def weighted_mean(weights: Mapping[str, float], published: "Mapping[str, Floats] | pd.DataFrame") -> Floats:
    """Sum over members of weight times what it published, shape of one member's array."""
    # One term after the other: a matrix product may round a row differently when it stands alone.
    terms = [weight * np.asarray(published[name], dtype=np.float64) for name, weight in weights.items()]
    return np.asarray(sum(terms[1:], terms[0]))
