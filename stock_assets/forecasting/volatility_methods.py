"""Methods of forecasting the variance of the next log return. Adding a method is adding a function and its entry.

A method gets the history of one ticker (`build_history`) and returns a Series on its index; the value of a row uses
that row and earlier ones, and is NaN where they are too few.

GARCH is not among them: on the bundled bars it loses to every method that reads the range of a session, and takes a
thousand times as long (docs/adr/0073, `benchmarks/volatility.py`).
"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from stock_assets.forecasting.volatility import FLOOR, MIN_ROWS, forecast_volatility, session_variance

Method = Callable[[pd.DataFrame], pd.Series]

DECAY = 0.94
"""Of RiskMetrics' daily EWMA."""
HAR_WINDOWS = (1, 5, 22)
"""Day, week and month."""
HAR_MIN_ROWS = 60
"""Sessions seen before the first fit."""
HAR_REFIT_EVERY = 21
"""Sessions between two fits: a month."""


def ewma(history: pd.DataFrame) -> pd.Series:
    """Exponentially weighted mean of squared log returns (RiskMetrics Technical Document, 4th ed. 1996)."""
    return _ewma(history["log_return"] ** 2)


def ewma_parkinson(history: pd.DataFrame) -> pd.Series:
    """The same of overnight return, squared, plus the variance of high and low (Parkinson 1980, J. of Business 53)."""
    return _ewma(parkinson_variance(history))


def parkinson_variance(history: pd.DataFrame) -> pd.Series:
    """Variance of each session: squared overnight return plus (ln high − ln low)² / (4 ln 2). NaN in the first row."""
    log = np.log(history[["open", "high", "low", "close"]])
    overnight = history["log_return"] - (log["close"] - log["open"])
    total: pd.Series = overnight**2 + (log["high"] - log["low"]) ** 2 / (4 * np.log(2))
    return total


def har(history: pd.DataFrame) -> pd.Series:
    """HAR in logs on the sessions' Garman–Klass variance: least squares on the means of a day, a week and a month.

    Corsi (2009), Journal of Financial Econometrics 7, eq. 8, in logs (Andersen, Bollerslev & Diebold 2007, Review of
    Economics and Statistics 89), which keeps single wild sessions from ruling the fit. Fitted on all earlier sessions,
    again every `HAR_REFIT_EVERY`; from log to variance by the mean of exp(residual) (Duan 1983, JASA 78).
    """
    variance = session_variance(history).clip(lower=FLOOR**2)
    means = [np.log(variance.rolling(window, min_periods=1).mean()) for window in HAR_WINDOWS]
    x = np.column_stack([np.ones(len(variance)), *means])
    y = np.log(variance.shift(-1).to_numpy())
    forecast = np.full(len(variance), np.nan)
    for row in range(HAR_MIN_ROWS, len(variance), HAR_REFIT_EVERY):
        # Row 0 has no return; the label of row − 1 is this row's variance, known at its close.
        known = slice(1, row)
        weights = np.linalg.lstsq(x[known], y[known], rcond=None)[0]
        smearing = np.exp(y[known] - x[known] @ weights).mean()
        asked = slice(row, row + HAR_REFIT_EVERY)
        # Not x @ weights: its sums may round differently with the number of rows, and a cut history must give the same.
        forecast[asked] = np.exp((x[asked] * weights).sum(axis=1)) * smearing
    return pd.Series(forecast, index=history.index)


def multi_ewma_garman_klass(history: pd.DataFrame) -> pd.Series:
    """What scales the intervals: `forecast_volatility`, squared."""
    return pd.Series(forecast_volatility(history) ** 2, index=history.index)


METHODS: Mapping[str, Method] = {
    method.__name__: method for method in (multi_ewma_garman_klass, har, ewma_parkinson, ewma)
}
USED = multi_ewma_garman_klass.__name__
"""The one that scales the intervals."""


def _ewma(variance: pd.Series) -> pd.Series:
    return variance.ewm(alpha=1 - DECAY, min_periods=MIN_ROWS).mean()
