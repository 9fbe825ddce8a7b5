"""How well each method forecasts the size of the next log return."""

import numpy as np
import pandas as pd

from stock_assets.forecasting.errors import TooFewRows
from stock_assets.forecasting.metrics import qlike
from stock_assets.forecasting.models._base import Floats
from stock_assets.forecasting.significance import diebold_mariano
from stock_assets.forecasting.volatility import FLOOR, session_variance
from stock_assets.forecasting.volatility_methods import METHODS, USED

WARM_UP = 252
"""Sessions before the first one that is scored: a year, so that every method has settled."""
_LAGS = 22
"""Sessions over which losses may be related: volatility, and with it the constant's error, lasts for weeks."""


def score_volatility(history: pd.DataFrame, *, ticker: str) -> pd.DataFrame:
    """Frame of table `volatility`: every method on the same sessions of one ticker's whole history (`build_history`).

    QLIKE is against the range-based variance of the target session, which is less noisy than its squared return (Patton
    2011, Journal of Econometrics 160). The p-value is that of Diebold and Mariano's test that the method's loss is
    lower than that of the variance of all earlier returns, with a month of lags in its variance.

    Raises:
        TooFewRows: there is no session to score after the warm-up.
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
    shown = scores.sort_values("qlike")[
        ["method", "is_used", "n", "qlike", "qlike_constant", "dm_p", "bias", "forecast"]
    ]
    return str(shown.to_markdown(index=False, floatfmt=".4f"))


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
