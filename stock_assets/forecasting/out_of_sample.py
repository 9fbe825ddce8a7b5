"""What predictions made out of sample say about a model: how far it is believed, and how wide its intervals are.

A frame of *asked* rows has one row for each prediction: `session`, `predicted`, `actual` (log returns), `volatility`.
"""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stock_assets.forecasting.intervals import Calibration
from stock_assets.forecasting.models._base import Floats
from stock_assets.forecasting.shrinkage import Shrinkage
from stock_assets.forecasting.stored_model import StoredModel
from stock_assets.forecasting.volatility import forecast_volatility


@dataclass(frozen=True)
class Calibrated:
    """What a fit takes from them.

    Attributes:
        shrinkage: None where predictions are used as they are.
        calibration: of the intervals.
        out_of_fold: asked rows of the training sessions that the model predicted out of fold, `predicted` as it would
            have been published.
    """

    shrinkage: Shrinkage | None
    calibration: Calibration
    out_of_fold: pd.DataFrame


def asked_rows(history: pd.DataFrame, predicted: Floats, rows: NDArray[np.intp]) -> pd.DataFrame:
    """Predictions beside what happened.

    Args:
        history: one ticker's history.
        predicted: log returns, shape (len(history),).
        rows: positions of the rows wanted.
    """
    return pd.DataFrame(
        {
            "session": history["session"].iloc[rows].to_numpy(),
            "predicted": predicted[rows],
            "actual": history["target_log_return"].to_numpy(dtype=float)[rows],
            "volatility": forecast_volatility(history)[rows],
        }
    )


def measure(asked: pd.DataFrame, target: str) -> Shrinkage | None:
    """How far raw predictions are to be believed. None for the reference formulation, which is shown as it is."""
    if target == "price":
        return None
    return Shrinkage.measure(*(asked[name].to_numpy(dtype=float) for name in ("predicted", "actual", "volatility")))


def as_published(asked: pd.DataFrame, shrinkage: Shrinkage | None) -> pd.DataFrame:
    """The same rows with `predicted` shrunk."""
    return asked.assign(predicted=(shrinkage.coefficient if shrinkage else 1.0) * asked["predicted"])


def score(published: pd.DataFrame) -> Calibration:
    """Conformal scores of predictions as published.

    Raises:
        TooFewRows: fewer rows than the highest level needs.
    """
    residuals = (published["actual"] - published["predicted"]).to_numpy(dtype=float)
    return Calibration.from_residuals(residuals, published["volatility"].to_numpy(dtype=float))


def calibrate_later(evaluated: StoredModel, asked: pd.DataFrame) -> Calibrated:
    """What a final fit takes from the evaluated fit's out-of-fold rows and from its later rows together.

    Args:
        evaluated: the evaluated fit.
        asked: what it said of validation and test, before shrinkage.
    """
    later = measure(asked, evaluated.manifest.target)
    earlier = evaluated.manifest.shrinkage
    # Scores are of predictions as published: shrunk by what was known when they were made.
    stored = Shrinkage.from_json(earlier) if earlier else None
    scores = score(as_published(asked, stored))
    pooled = later + stored if later and stored else None
    return Calibrated(pooled, Calibration.pooled([evaluated.calibration, scores]), evaluated.out_of_fold)
