"""The one frame every model sees: a ticker's bars with its features and label, one row per session."""

import numpy as np
import pandas as pd

from stock_assets.forecasting.features import FEATURES


def build_history(prices: pd.DataFrame, features: pd.DataFrame) -> pd.DataFrame:
    """One ticker's `prices` with its `features`, joined on session, in ascending order on a fresh RangeIndex.

    Added are `log_return` (natural log return of adj_close from the session before; NaN in the first row) and
    `target_log_return` (the same one row later; NaN in the last row). Features are NaN in warm-up rows that have none.
    """
    bars = prices.sort_values("session", ignore_index=True)
    inputs = features.drop(columns=["ticker", "target_session", "target_log_return"], errors="ignore")
    history = bars.merge(inputs, on="session", how="left", validate="one_to_one")
    log_return = np.log(history["adj_close"]).diff()
    return history.assign(log_return=log_return, target_log_return=log_return.shift(-1))


def training_window(history: pd.DataFrame, first: int, last: int, *, lead: int) -> pd.DataFrame:
    """What a fit may look at: rows `first` to `last`, and the bars of `lead` sessions before, on a fresh RangeIndex.

    Those have no features, as the warm-up at the beginning of a history has none: a model that learns from every
    complete row would otherwise learn from them, too. `first` is at least `lead`.
    """
    window = history.iloc[first - lead : last + 1].reset_index(drop=True)
    names = [feature.name for feature in FEATURES if feature.name in window]
    window.loc[: lead - 1, names] = np.nan
    return window
