"""Forecast volatility: how large the next log return may be, known at each row's close.

It scales the intervals. What was compared, and the figures, are in docs/adr/0022 and `benchmarks/volatility.py`.
"""

import numpy as np
import pandas as pd

from stock_assets.forecasting.models._base import Floats

MIN_ROWS = 10
"""Returns seen before the first forecast."""
DECAYS = (0.6, 0.88, 0.96, 0.99)
"""Half-lives of about 1, 5, 17 and 69 sessions: what the last day, week, month and quarter say, with equal weight."""
FLOOR = 1e-4
"""One basis point: a halted stock has no range, and an interval of width zero would be a claim of certainty."""


def forecast_volatility(history: pd.DataFrame) -> Floats:
    """Forecast the standard deviation of the next log return.

    The square root of the mean of four exponentially weighted averages of each session's variance, which is the squared
    overnight return plus the Garman–Klass variance of the trading day (Garman & Klass, 1980, Journal of Business 53,
    without the opening jump). Several speeds stand in for the long memory of volatility, as in Corsi's HAR (2009,
    Journal of Financial Econometrics 7). Nothing is fitted.

    Args:
        history: rows of one ticker in ascending order with `open`, `high`, `low`, `close` and `log_return`.

    Returns:
        Shape (len(history),). The value of a row uses that row and earlier ones. NaN before `MIN_ROWS` returns, from
        then on at least `FLOOR`.
    """
    variance = session_variance(history)
    speeds = [variance.ewm(alpha=1 - decay, min_periods=MIN_ROWS).mean() for decay in DECAYS]
    mean = sum(speeds[1:], speeds[0]) / len(speeds)
    volatility: Floats = np.sqrt(mean).clip(lower=FLOOR).to_numpy(dtype=np.float64)
    return volatility


def session_variance(history: pd.DataFrame) -> pd.Series:
    """Variance of each session's log return as its bar shows it: overnight plus trading day.

    Args:
        history: as for `forecast_volatility`.

    Returns:
        Series on the index of `history`; NaN in the first row, which has no overnight return. Where a bar has no range
        (open = high = low = close) this is the squared log return.
    """
    log = np.log(history[["open", "high", "low", "close"]])
    day = log["close"] - log["open"]
    overnight = history["log_return"] - day
    garman_klass = 0.5 * (log["high"] - log["low"]) ** 2 - (2 * np.log(2) - 1) * day**2
    total: pd.Series = overnight**2 + garman_klass.clip(lower=0)
    return total
