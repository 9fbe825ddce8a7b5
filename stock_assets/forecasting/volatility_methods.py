"""Methods of forecasting the variance of the next log return, and their scores. A method is a function and its entry.

A method gets the history of one ticker (`build_history`) and returns a Series on its index; the value of a row uses
that row and earlier ones, and is NaN where they are too few.

GARCH is not among them: on the bundled bars it loses to every method that reads the range of a session, and takes a
thousand times as long (docs/adr/0073, `benchmarks/volatility.py`).
"""

from collections.abc import Callable, Mapping

import numpy as np
import pandas as pd

from stock_assets.forecasting.errors import TooFewRows
from stock_assets.forecasting.metrics import qlike
from stock_assets.forecasting.models._base import Floats
from stock_assets.forecasting.significance import diebold_mariano
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
WARM_UP = 252
"""Sessions before the first one that is scored: a year, so that every method has settled."""
_LAGS = 22
"""Sessions over which losses may be related: volatility, and with it the constant's error, lasts for weeks."""


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


def score_volatility(history: pd.DataFrame, *, ticker: str) -> pd.DataFrame:
    """Frame of table `volatility`: every method on the same sessions of one ticker's whole history (`build_history`).

    QLIKE is against the range-based variance of the target session, which is less noisy than its squared return (Patton
    2011, Journal of Econometrics 160). The p-value is that of Diebold and Mariano's test that the method's loss is
    lower than that of the variance of all earlier returns, with a month of lags in its variance. `TooFewRows` where
    there is no session to score after the warm-up.
    """
    is_scored = (np.arange(len(history)) >= WARM_UP) & history["target_log_return"].notna().to_numpy()
    if not is_scored.any():
        problem = f"{ticker} has {len(history)} sessions, and scoring volatility forecasts needs {WARM_UP + 2}"
        raise TooFewRows(problem, cure="fetch a longer history (--lookback) or leave the ticker out")
    target_session = history["session"].shift(-1)[is_scored]
    proxy = session_variance(history).shift(-1).to_numpy()[is_scored]
    squared = history["target_log_return"].to_numpy()[is_scored] ** 2
    constant = _volatility(history["log_return"].expanding().var(ddof=0))[is_scored]
    rows = []
    for name, method in METHODS.items():
        volatility = _volatility(method(history))
        scored = volatility[is_scored]
        rows.append(
            {
                "ticker": ticker,
                "method": name,
                "is_used": name == USED,
                "n": int(is_scored.sum()),
                "first_session": target_session.iloc[0],
                "last_session": target_session.iloc[-1],
                "qlike": qlike(proxy, scored),
                "qlike_constant": qlike(proxy, constant),
                "dm_p": _dm_p(_losses(proxy, constant), _losses(proxy, scored)),
                "bias": float(np.mean(squared / scored**2)) - 1,
                "forecast": float(volatility[-1]),
                "as_of_session": history["session"].iloc[-1],
            }
        )
    return pd.DataFrame(rows)


def as_markdown(scores: pd.DataFrame) -> str:
    """The methods by QLIKE, the best first, for people."""
    columns = ["method", "is_used", "n", "qlike", "qlike_constant", "dm_p", "bias", "forecast"]
    return str(scores.sort_values("qlike")[columns].to_markdown(index=False, floatfmt=".4f"))


def _ewma(variance: pd.Series) -> pd.Series:
    return variance.ewm(alpha=1 - DECAY, min_periods=MIN_ROWS).mean()


def _volatility(variance: pd.Series) -> Floats:
    volatility: Floats = np.sqrt(variance).clip(lower=FLOOR).to_numpy(dtype=np.float64)
    return volatility


def _losses(proxy: Floats, volatility: Floats) -> Floats:
    """QLIKE of each session, shape (n,)."""
    losses: Floats = 2 * np.log(volatility) + proxy / volatility**2
    return losses


def _dm_p(loss_of_constant: Floats, loss: Floats) -> float:
    # The test takes absolute errors, and QLIKE may be negative: only the difference of two losses matters.
    least = np.minimum(loss_of_constant, loss)
    horizon = min(_LAGS, len(loss))
    return diebold_mariano(loss_of_constant - least, loss - least, horizon=horizon, power=1, alternative="greater")
