"""Tests of coverage: is the share of outcomes inside an interval the one promised, and do misses come alone?"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

_CONFIDENCE = 0.95


def wilson(hits: int, n: int) -> tuple[float, float]:
    """95 % confidence interval of a share (Wilson 1927, JASA 22), fractions.

    Raises:
        ValueError: no outcome (n is 0), or more hits than outcomes.
    """
    from scipy.special import ndtri

    _check(hits, n)
    z, share = float(ndtri((1 + _CONFIDENCE) / 2)), hits / n
    middle = (share + z**2 / (2 * n)) / (1 + z**2 / n)
    half = z / (1 + z**2 / n) * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2))
    # At either end the interval ends there exactly, which rounding may miss.
    return (0.0 if hits == 0 else float(middle - half)), (1.0 if hits == n else float(middle + half))


def kupiec(hits: int, n: int, coverage: float) -> float:
    """p-value that the coverage is the one promised: proportion of failures (Kupiec 1995, Journal of Derivatives 3).

    Raises:
        ValueError: no outcome, more hits than outcomes, or a coverage that is no fraction between 0 and 1.
    """
    _check(hits, n)
    if not 0 < coverage < 1:
        raise ValueError(f"coverage is {coverage}, expected between 0 and 1")
    return _chi_square_p(_log_likelihood(hits, n, hits / n) - _log_likelihood(hits, n, coverage))


def christoffersen(is_missed: ArrayLike) -> float:
    """p-value that a miss is as likely after a miss as after a hit (Christoffersen 1998, Int. Economic Review 39, 3.2).

    By the likelihood ratio of a first-order Markov chain against independence, of misses in order of time, shape (n,).
    NaN where there is nothing to compare: no miss, or no hit, among the outcomes that have one before them or among
    those that have one after.
    """
    missed: NDArray[np.bool_] = np.asarray(is_missed, dtype=bool)
    before, after = missed[:-1], missed[1:]
    if before.all() or after.all() or not (before.any() and after.any()):
        return float("nan")
    n, misses = len(after), int(after.sum())
    apart = sum(
        _log_likelihood(int(part.sum()), len(part), float(part.mean())) for part in (after[before], after[~before])
    )
    return _chi_square_p(apart - _log_likelihood(misses, n, misses / n))


def _check(hits: int, n: int) -> None:
    if not 0 <= hits <= n or n == 0:
        raise ValueError(f"{hits} hits of {n} outcomes, expected at least one outcome and no more hits than those")


def _log_likelihood(successes: int, n: int, share: float) -> float:
    from scipy.special import xlog1py, xlogy

    return float(xlogy(successes, share) + xlog1py(n - successes, -share))


def _chi_square_p(gain: float) -> float:
    """p-value of twice a gain in log likelihood with one degree of freedom."""
    from scipy.special import chdtrc

    return float(chdtrc(1, max(0.0, 2 * gain)))
