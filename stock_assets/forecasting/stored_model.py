"""A fit as the store gives it out, and both fits of a model."""

from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from stock_assets.forecasting.intervals import Calibration
from stock_assets.forecasting.manifest import Kind, Manifest
from stock_assets.forecasting.models import Fitted
from stock_assets.forecasting.models._base import Floats

Answered = Mapping[Kind, Floats]
"""Kind of fit → its raw log return for every row of a history, shape (len(history),)."""


@dataclass(frozen=True)
class StoredModel:
    """A fit, whose predictions are raw, with what its intervals come from, as kept in the store.

    In `out_of_fold` is what it would have published on its calibration folds, one row for each predicted training
    session in ascending order: `session`, `predicted` and `actual` (log returns) and `volatility`. No row of validation
    or test is among them.
    """

    fitted: Fitted
    calibration: Calibration
    manifest: Manifest
    out_of_fold: pd.DataFrame = field(compare=False, repr=False)

    def publish(self, raw: Floats) -> Floats:
        """What is published of raw predictions: shrinkage times them."""
        return np.asarray(self.manifest.shrink * raw)

    def predict(self, history: pd.DataFrame) -> Floats:
        """Predicted log return to the next session of every row, shape (len(history),), as published."""
        return self.publish(self.fitted.predict(history))


@dataclass(frozen=True)
class Trained:
    """Both fits of one model for one ticker.

    `evaluated` is fitted on train rows only and predicts validation and test; `final` on all labelled rows; it
    forecasts.
    """

    evaluated: StoredModel
    final: StoredModel
