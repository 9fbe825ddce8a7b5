"""Predictions in table form, made without a model: what the tests of evaluation and champion score."""

import numpy as np
import pandas as pd

from stock_assets.forecasting.intervals import LEVELS
from stock_assets.forecasting.splits import scheme_of


def predictions_of(
    model: str,
    predicted: np.ndarray,
    actual: np.ndarray,
    *,
    fold: str = "holdout",
    role: str = "validation",
    start: str = "2020-01-02",
) -> pd.DataFrame:
    """Rows of table `predictions` for ticker T, from log returns; the close is 100 at every as-of session.

    Intervals are ± 0.001 × level around the prediction, in price.
    """
    sessions = pd.bdate_range(start, periods=len(actual) + 1)
    frame = pd.DataFrame(
        {
            "ticker": "T",
            "model": model,
            "scheme": scheme_of(fold),
            "fold": fold,
            "target_session": sessions[1:],
            "session": sessions[:-1],
            "role": role,
            "predicted_log_return": predicted,
            "actual_log_return": actual,
            "volatility": 0.01,
            "predicted": 100 * np.exp(predicted),
            "actual": 100 * np.exp(actual),
            "naive": 100.0,
        }
    )
    for level in LEVELS:
        frame[f"lower_{level}"] = frame["predicted"] - level / 1000
        frame[f"upper_{level}"] = frame["predicted"] + level / 1000
    return frame.assign(capped=0, model_version=f"{model}-1")
