"""The mean of all trained models, weighted by how small their out-of-fold errors were."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
import pandas as pd

from stock_assets.forecasting.ensembles._base import Ensemble
from stock_assets.forecasting.models._base import Floats

_LEAST_ERROR = 1e-12
"""Least mean squared error, in squared log returns, so that a member without error gets a finite weight."""


@dataclass(frozen=True, kw_only=True)
class EnsembleInverseError(Ensemble):
    """Weights in proportion to one over the mean squared error (Bates & Granger 1969, without covariances).

    Covariances are left out on purpose: estimated on the same few hundred rows they do more harm than good (Timmermann
    2006, section 5).
    """

    name: ClassVar[str] = "ensemble_inverse_error"
    description: ClassVar[str] = "The mean of what all trained models publish, weighted by inverse out-of-fold error."

    def weights(self, out_of_fold: pd.DataFrame) -> Floats:
        """Inverse mean squared error of each member's published log returns, over their sum."""
        errors = out_of_fold.drop(columns=["actual", "volatility"]).sub(out_of_fold["actual"], axis=0)
        precision = 1.0 / (errors**2).mean().clip(lower=_LEAST_ERROR).to_numpy(dtype=float)
        return np.asarray(precision / precision.sum())
