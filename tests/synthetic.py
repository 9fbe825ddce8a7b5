"""Seeded generators of bars in the form of table `prices`, with known truth.

Each returns one ticker's rows on business days, every column of the contract filled. Intraday paths are simulated, so
that open, high and low carry information about the session's variance as they do in a market.
"""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from storage.tables import PRICES

_OVERNIGHT_SHARE = 0.3  # of a session's variance
_STEPS = 24  # of an intraday path


def random_walk_bars(ticker: str, n: int, *, seed: int, volatility: float = 0.02) -> pd.DataFrame:
    """Bars of a random walk with constant volatility (standard deviation of the log return of a session)."""
    rng = np.random.default_rng(seed)
    return _bars(ticker, volatility * rng.standard_normal(n), np.full(n, volatility), rng)


def garch_bars(
    ticker: str, n: int, *, seed: int, volatility: float = 0.02, alpha: float = 0.08, beta: float = 0.90
) -> pd.DataFrame:
    """Bars of a random walk whose returns follow a GARCH(1,1): unpredictable, but restless in clusters.

    Args:
        ticker: symbol.
        n: number of sessions.
        seed: of the generator.
        volatility: unconditional standard deviation of the log return.
        alpha: weight of the last squared return.
        beta: weight of the last variance; alpha + beta < 1.
    """
    rng = np.random.default_rng(seed)
    shocks = rng.standard_normal(n)
    sd = _garch_deviations(shocks, volatility, alpha, beta)
    return _bars(ticker, sd * shocks, sd, rng)


def changing_volatility_bars(
    ticker: str, n: int, *, seed: int, volatility: float = 0.015, ratio: float = 3.0, mean_stay: int = 125
) -> pd.DataFrame:
    """Bars of a random walk whose volatility jumps between two levels, with a GARCH(1,1) on top of each.

    Args:
        ticker: symbol.
        n: number of sessions.
        seed: of the generator.
        volatility: geometric mean of both levels' standard deviations of the log return.
        ratio: of the restless level's standard deviation to the calm one's.
        mean_stay: sessions at one level on average; stays are geometric, so that no jump is announced.
    """
    rng = np.random.default_rng(seed)
    shocks = rng.standard_normal(n)
    n_jumps = np.cumsum(rng.random(n) < 1 / mean_stay)
    is_restless = (n_jumps + rng.integers(2)) % 2 == 1
    level = volatility * np.where(is_restless, ratio**0.5, ratio**-0.5)
    sd = level * _garch_deviations(shocks, 1.0, 0.05, 0.90)
    return _bars(ticker, sd * shocks, sd, rng)


def ar1_bars(ticker: str, n: int, *, seed: int, r_squared: float = 0.05, volatility: float = 0.01) -> pd.DataFrame:
    """Bars whose log returns follow an AR(1) with positive coefficient √r_squared: a signal that can be found.

    Args:
        ticker: symbol.
        n: number of sessions.
        seed: of the generator.
        r_squared: share of the variance of returns that the last return explains.
        volatility: unconditional standard deviation of the log return.
    """
    rng = np.random.default_rng(seed)
    noise = volatility * np.sqrt(1 - r_squared) * rng.standard_normal(n)
    returns = np.empty(n)
    last = volatility * rng.standard_normal()
    for t in range(n):
        last = returns[t] = np.sqrt(r_squared) * last + noise[t]
    return _bars(ticker, returns, np.full(n, volatility), rng)


def ar1_garch_bars(
    ticker: str,
    n: int,
    *,
    seed: int,
    r_squared: float = 0.05,
    volatility: float = 0.02,
    alpha: float = 0.08,
    beta: float = 0.90,
) -> pd.DataFrame:
    """Bars whose log returns follow an AR(1) with positive coefficient √r_squared and GARCH(1,1) innovations.

    Args:
        ticker: symbol.
        n: number of sessions.
        seed: of the generator.
        r_squared: share of the variance of returns that the last return explains; 0 is the random walk of `garch_bars`.
        volatility: unconditional standard deviation of the log return.
        alpha: weight of the last squared innovation.
        beta: weight of the last variance; alpha + beta < 1.
    """
    rng = np.random.default_rng(seed)
    shocks = rng.standard_normal(n)
    sd = _garch_deviations(shocks, volatility * np.sqrt(1 - r_squared), alpha, beta)
    returns = sd * shocks
    for t in range(1, n):
        returns[t] += np.sqrt(r_squared) * returns[t - 1]
    return _bars(ticker, returns, sd, rng)


def _garch_deviations(shocks: NDArray[np.float64], volatility: float, alpha: float, beta: float) -> NDArray[np.float64]:
    """Standard deviation of each session, shape (n,), from the unconditional one on."""
    sd = np.empty(len(shocks))
    variance = volatility**2
    for t, shock in enumerate(shocks):
        sd[t] = np.sqrt(variance)
        variance = (1 - alpha - beta) * volatility**2 + alpha * (sd[t] * shock) ** 2 + beta * variance
    return sd


def _bars(ticker: str, returns: NDArray[np.float64], sd: NDArray[np.float64], rng: np.random.Generator) -> pd.DataFrame:
    """Bars with the given log returns, from a close of 100 before the first session."""
    n = len(returns)
    log_close = np.log(100) + np.cumsum(returns)
    overnight = _OVERNIGHT_SHARE * returns + sd * np.sqrt(_OVERNIGHT_SHARE * (1 - _OVERNIGHT_SHARE)) * (
        rng.standard_normal(n)
    )
    log_open = log_close - returns + overnight
    # A Brownian bridge from open to close.
    steps = rng.standard_normal((n, _STEPS)) * (sd * np.sqrt((1 - _OVERNIGHT_SHARE) / _STEPS))[:, None]
    walk = np.cumsum(steps, axis=1)
    drift = (returns - overnight - walk[:, -1])[:, None] * np.arange(1, _STEPS + 1) / _STEPS
    path = np.column_stack([log_open, log_open[:, None] + walk + drift])
    close = np.exp(log_close)
    frame = pd.DataFrame(
        {
            "ticker": ticker,
            "session": pd.bdate_range("2010-01-04", periods=n),
            "open": np.exp(log_open),
            "high": np.maximum(np.exp(path.max(axis=1)), close),
            "low": np.minimum(np.exp(path.min(axis=1)), close),
            "close": close,
            "adj_close": close,
            "volume": np.round(1e6 * np.exp(0.3 * rng.standard_normal(n))),
            "dividends": 0.0,
            "stock_splits": 0.0,
            "source": "csv",
            "is_final": True,
        }
    )
    return frame[list(PRICES.column_names)]
