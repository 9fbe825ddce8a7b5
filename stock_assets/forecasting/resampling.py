"""Resampling: intervals and a confidence set from one shared set of block-bootstrap resamples.

Scores of consecutive sessions depend on each other, so blocks of sessions are drawn: the stationary bootstrap of
Politis & Romano (1994), Journal of the American Statistical Association 89, drawn by `arch`. The mean of any column in
any resample is one matrix product with how often each row was drawn; these counts depend only on the number of rows,
the block length and the seed, and all models and tickers share them.
"""

import hashlib
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from stock_assets.forecasting.models._base import Floats

REPLICATIONS = 1000
SEED = 0
CONFIDENCE = 0.95
MIN_ROWS = 30
"""Fewest rows that are resampled: with fewer there are hardly two blocks."""


def block_length(differences: Floats) -> int:
    """Mean block length for series that are resampled together.

    The longest that Politis & White (2004, Econometric Reviews 23; corrected with Patton 2009, Econometric Reviews 28)
    find optimal for any column, rounded up to a power of two, so that series can share resamples.

    Args:
        differences: loss differences, shape (n, k); columns without variation are left out.
    """
    from arch.bootstrap import optimal_block_length

    varying = differences[:, np.ptp(differences, axis=0) > 0]
    if not varying.shape[1]:
        return 1
    longest = float(optimal_block_length(varying / varying.std(axis=0))["stationary"].max())
    return 1 << max(0, int(np.ceil(np.log2(longest)))) if longest > 1 else 1


@lru_cache(maxsize=8)
def draw_shares(n: int, block: int, *, replications: int = REPLICATIONS, seed: int = SEED) -> Floats:
    """How often each row is in each resample, over n: times a column of values it gives the resampled means.

    Args:
        n: rows.
        block: mean block length.
        replications: resamples.
        seed: of the generator; the same as given to a bootstrap of `arch` it makes the same draws.

    Returns:
        Shape (replications, n), read-only; each row sums to 1.
    """
    from arch.bootstrap import StationaryBootstrap

    draws = StationaryBootstrap(block, np.arange(n), seed=seed).bootstrap(replications)
    counts = np.stack([np.bincount(positional[0], minlength=n) for positional, _ in draws])
    shares: Floats = counts / n
    shares.setflags(write=False)
    return shares


def skill_interval(shares: Floats, squared_error: Floats, squared_error_naive: Floats) -> tuple[float, float]:
    """Percentile interval of 1 − RMSE / RMSE of the naive forecast (Efron & Tibshirani 1993, ch. 13).

    Args:
        shares: from `draw_shares`, shape (replications, n).
        squared_error: of the model, shape (n,).
        squared_error_naive: of the naive forecast on the same rows, shape (n,).

    Returns:
        Lower and upper end, at `CONFIDENCE`; NaN where the naive forecast is perfect in some resample, or the two are
        one and the same.
    """
    if np.array_equal(squared_error, squared_error_naive):
        return float("nan"), float("nan")
    means = shares @ np.column_stack([squared_error, squared_error_naive])
    if not (means[:, 1] > 0).all():
        return float("nan"), float("nan")
    tail = (1 - CONFIDENCE) / 2
    lower, upper = np.quantile(1 - np.sqrt(means[:, 0] / means[:, 1]), [tail, 1 - tail])
    return float(lower), float(upper)


def confidence_set(shares: Floats, losses: Floats) -> Floats:
    """p-value of each model in the Model Confidence Set (Hansen, Lunde & Nason 2011, Econometrica 79).

    Range statistic T_R; the model with the largest standardised excess loss over any other is eliminated first, and a
    model's p-value is the largest of those up to its own elimination. Same as `arch.bootstrap.MCS(method="R")` with the
    same draws, except that models with identical losses share one p-value.

    Args:
        shares: from `draw_shares`, shape (replications, n).
        losses: one column a model, shape (n, k).

    Returns:
        Shape (k,): a model above α belongs to the set that holds the best with confidence 1 − α. The last one left has
        1.
    """
    distinct, column = np.unique(losses, axis=1, return_inverse=True)
    difference, resampled = _standardised(shares, distinct)
    included = list(range(distinct.shape[1]))
    p_value, so_far = np.ones(len(included)), 0.0
    while len(included) > 1:
        among = np.ix_(included, included)
        statistic = difference[among].max(axis=1)
        simulated = resampled[:, included][:, :, included].max(axis=(1, 2))
        worst = int(np.argmax(statistic))
        so_far = max(so_far, float(np.mean(statistic[worst] < simulated)))
        p_value[included.pop(worst)] = so_far
    shared: Floats = p_value[column.reshape(-1)]
    return shared


def resampling_version() -> str:
    """Hash of these formulas and settings, and of the version of `arch`: figures made by others are not reused."""
    return _formulas()


@lru_cache(maxsize=1)
def _formulas() -> str:
    return hashlib.sha256(Path(__file__).read_bytes() + version("arch").encode()).hexdigest()


def _standardised(shares: Floats, losses: Floats) -> tuple[Floats, NDArray[np.float64]]:
    """Differences of mean losses over their bootstrap deviation: of all pairs (k, k), and in each resample."""
    mean = losses.mean(axis=0)
    deviation = shares @ losses - mean
    pairs = deviation[:, :, None] - deviation[:, None, :]
    # Where a pair never varies its difference is certain; the diagonal is 0 in any unit.
    scale = np.sqrt(np.maximum((pairs**2).mean(axis=0), np.finfo(float).tiny))
    return (mean[:, None] - mean[None, :]) / scale, pairs / scale
