"""The plain mean of all trained models: no weight to estimate, and hard to beat for that reason."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from stock_assets.forecasting.ensembles._base import Ensemble
from stock_assets.forecasting.models._base import Floats


@dataclass(frozen=True, kw_only=True)
class EnsembleEqual(Ensemble):
    """The same weight for every member (Stock & Watson 2004, Journal of Forecasting 23, on why it is hard to beat)."""

    name: ClassVar[str] = "ensemble_equal"
    description: ClassVar[str] = "The mean of what all trained models publish."

    def weights(self, out_of_fold: pd.DataFrame) -> Floats:
        """One over the number of members."""
        n = len(out_of_fold.columns.drop(["actual", "volatility"]))
        return np.full(n, 1.0 / n)
