"""A fit as the store gives it out, and both fits of a model."""

from dataclasses import dataclass, field
from typing import Self

import numpy as np
import pandas as pd

from stock_assets.forecasting.intervals import Calibration
from stock_assets.forecasting.manifest import Manifest
from stock_assets.forecasting.models import Fitted
from stock_assets.forecasting.models._base import Floats


@dataclass(frozen=True)
class StoredModel:
    """A fit with its intervals, as kept in the store.

    Attributes:
        fitted: the model itself, whose predictions are raw.
        calibration: scores its intervals come from.
        manifest: what it is.
        out_of_fold: what it would have published on its calibration folds, one row for each predicted training session
            in ascending order: `session`, `predicted` and `actual` (log returns) and `volatility`. No row of validation
            or test is among them.
    """

    fitted: Fitted
    calibration: Calibration
    manifest: Manifest
    out_of_fold: pd.DataFrame = field(compare=False, repr=False)

    def predict(self, history: pd.DataFrame) -> Floats:
        """Predicted log return to the next session of every row, shape (len(history),): shrinkage times the raw one."""
        return np.asarray(self.manifest.shrink * self.fitted.predict(history))


@dataclass(frozen=True)
class RememberingModel(StoredModel):
    """A stored fit that keeps its newest answer: a combination asks its parents what they were asked themselves.

    Attributes:
        answered: the newest history it was asked for and what it said; empty before.
    """

    answered: list[tuple[pd.DataFrame, Floats]] = field(default_factory=list, compare=False, repr=False)

    @classmethod
    def of(cls, model: StoredModel) -> Self:
        """`model`, which remembers from now on."""
        return cls(model.fitted, model.calibration, model.manifest, model.out_of_fold)

    def predict(self, history: pd.DataFrame) -> Floats:
        """As `StoredModel.predict`; computed once for histories that are equal in every value."""
        if not self.answered or not self.answered[0][0].equals(history):
            self.answered[:] = [(history.copy(), super().predict(history))]
        return self.answered[0][1].copy()


@dataclass(frozen=True)
class Trained:
    """Both fits of one model for one ticker.

    Attributes:
        evaluated: fitted on train rows only; predicts validation and test.
        final: fitted on all labelled rows; forecasts.
    """

    evaluated: StoredModel
    final: StoredModel
