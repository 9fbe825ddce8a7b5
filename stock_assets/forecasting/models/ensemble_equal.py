"""The plain mean of all trained models: no weight to estimate, and hard to beat for that reason."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from stock_assets.forecasting.models._base import Floats
from stock_assets.forecasting.models._combination import Combination


@dataclass(frozen=True, kw_only=True)
class EnsembleEqual(Combination):
    """The same weight for every parent (Stock & Watson 2004, Journal of Forecasting 23, on why it is hard to beat)."""

    name: ClassVar[str] = "ensemble_equal"
    description: ClassVar[str] = "The mean of what all trained models publish."

    def weights(self, out_of_fold: pd.DataFrame) -> Floats:
        """One over the number of parents."""
        return np.full(len(self.parents), 1.0 / len(self.parents))
