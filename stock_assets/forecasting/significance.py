"""Significance: could the difference be luck?

Clark–West compares a model with the random walk that it contains as a special case; Diebold–Mariano compares models
that do not contain each other. A p-value is NaN where the test says nothing: fewer than two rows, or no variation.

How much skill a number of rows can show at all is told beside every score: one without its minimum detectable effect
invites reading noise.

Figures of direction ask whether signs are better than chance. They take log returns and predicted ones, shape (n,);
rows where either is zero say nothing about direction and are left out; a figure is NaN where no row is left, a
test also where one side never changes its sign.
"""

from collections.abc import Mapping
from typing import Literal

import numpy as np
from numpy.typing import ArrayLike

from stock_assets.forecasting.metrics import aligned, with_a_sign
from stock_assets.forecasting.models._base import Floats

CONFIDENCE = 0.99
"""Of the lower bound of directional accuracy: what lies above it is first of all a leak to look for."""
LEVEL = 0.05
"""Of a one-sided test."""
POWER = 0.8
"""Chance of seeing a skill of the minimum detectable size."""
Alternative = Literal["two-sided", "less", "greater"]
Test = Literal["clark_west", "diebold_mariano"]


def clark_west(actual: ArrayLike, predicted: ArrayLike, *, horizon: int = 1) -> float:
    """One-sided p-value that a model predicts better than the random walk it nests, which predicts zero.

    The estimated parameters of a model add noise to its forecasts, which makes it lose to the nested benchmark even if
    its signal is real; the test takes that noise out of the difference of squared errors (Clark & West 2007, Journal of
    Econometrics 138, eq. 3.1). With a benchmark of zero the adjusted difference is 2 · actual · predicted.

    Takes log returns, shape (n,). Errors of more than one step ahead overlap, so horizon − 1 lags enter the variance
    (Newey & West 1987, Bartlett weights). By Student's t with n − 1 degrees of freedom (a little above the normal's of
    the paper, and sane for a handful of rows); NaN if it cannot be computed.
    """
    actual, predicted = aligned(actual=actual, predicted=predicted)
    _check_horizon(horizon, len(actual))
    adjusted = actual**2 - (actual - predicted) ** 2 + predicted**2
    n = len(adjusted)
    if n < 2:
        return float("nan")
    variance = _long_run_variance(adjusted, horizon, bartlett=True) / (n - 1)
    return _p_value(adjusted.mean(), variance, n - 1, "greater")


def diebold_mariano(
    error_1: ArrayLike,
    error_2: ArrayLike,
    *,
    horizon: int = 1,
    power: float = 2,
    alternative: Alternative = "two-sided",
) -> float:
    """p-value of equal accuracy of two forecasts of the same rows, from their errors, with the small-sample correction.

    Diebold & Mariano (1995), Journal of Business & Economic Statistics 13; Harvey, Leybourne & Newbold (1997),
    International Journal of Forecasting 13. Same conventions as R's `forecast::dm.test`. By Student's t with n − 1
    degrees of freedom; NaN if it cannot be computed.

    Args:
        horizon: steps ahead; horizon − 1 autocovariances enter the variance, with Bartlett weights where the plain sum
            is not positive.
        power: of the absolute error that is the loss.
        alternative: `greater` means that the second forecast is more accurate, `less` that it is less accurate.
    """
    error_1, error_2 = aligned(error_1=error_1, error_2=error_2)
    _check_horizon(horizon, len(error_1))
    difference = np.abs(error_1) ** power - np.abs(error_2) ** power
    n = len(difference)
    if n < 2:
        return float("nan")
    variance = _long_run_variance(difference, horizon, bartlett=False)
    if variance <= 0 and horizon > 1:
        variance = _long_run_variance(difference, horizon, bartlett=True)
    correction = (n + 1 - 2 * horizon + horizon * (horizon - 1) / n) / n
    return _p_value(difference.mean() * np.sqrt(correction), variance / n, n - 1, alternative)


def holm(p_values: Mapping[str, float]) -> dict[str, float]:
    """Adjust p-values for having tried several models (Holm 1979, Scandinavian Journal of Statistics 6).

    Reject those below the level, and the chance of even one false rejection is below it. NaN counts as a test that was
    made, and stays NaN.
    """
    ranked = sorted(p_values, key=lambda name: (np.isnan(p_values[name]), p_values[name]))
    adjusted, largest = {}, 0.0
    for rank, name in enumerate(ranked):
        largest = max(largest, min(1.0, (len(ranked) - rank) * p_values[name]))
        adjusted[name] = largest if np.isfinite(p_values[name]) else float("nan")
    return {name: adjusted[name] for name in p_values}


def up_share(actual: ArrayLike, predicted: ArrayLike) -> float:
    """Share of the rows with a sign that rose: the directional accuracy of always saying up."""
    rose, _ = with_a_sign(actual, predicted)
    return float(rose.mean()) if len(rose) else float("nan")


def pesaran_timmermann(actual: ArrayLike, predicted: ArrayLike) -> float:
    """One-sided p-value that predicted signs and actual signs agree more often than if they were independent.

    Pesaran & Timmermann (1992), Journal of Business & Economic Statistics 10, eq. 6, by the standard normal. Always
    saying up in a rising market has no timing, and so no significance, however often it is right.
    """
    from scipy.special import ndtr

    rose, said = with_a_sign(actual, predicted)
    n = len(rose)
    if n < 2 or rose.all() or said.all() or not rose.any() or not said.any():
        return float("nan")
    up, up_said = rose.mean(), said.mean()
    expected = up * up_said + (1 - up) * (1 - up_said)
    variance = expected * (1 - expected) / n
    variance_of_expected = (
        (2 * up - 1) ** 2 * up_said * (1 - up_said)
        + (2 * up_said - 1) ** 2 * up * (1 - up)
        + 4 * up * up_said * (1 - up) * (1 - up_said) / n
    ) / n
    statistic = (np.mean(rose == said) - expected) / np.sqrt(variance - variance_of_expected)
    return float(ndtr(-statistic))


def accuracy_lower_bound(actual: ArrayLike, predicted: ArrayLike) -> float:
    """Exact one-sided lower bound of directional accuracy (Clopper & Pearson 1934, Biometrika 26).

    The true accuracy is above it with a chance of `CONFIDENCE` at least, if rows are independent.
    """
    from scipy.special import betaincinv

    rose, said = with_a_sign(actual, predicted)
    if not len(rose):
        return float("nan")
    right = int(np.sum(rose == said))
    return float(betaincinv(right, len(rose) - right + 1, 1 - CONFIDENCE)) if right else 0.0


def minimum_detectable_skill(n: int, *, test: Test = "clark_west", level: float = LEVEL, power: float = POWER) -> float:
    """Least true skill, 1 − RMSE / RMSE of the random walk, that a one-sided test over `n` ≥ 1 rows finds so often.

    It is a best case: the model knows the conditional mean. One with estimated parameters needs more. NaN where no
    skill below 1 would be found. The test that promotes is Clark–West.

    Let the next return be y = m + e with m known to the model, R² = var(m) / var(y), and var(y) = 1. The squared-error
    skill is then 1 − √(1 − R²). Both tests are t-tests of the mean of a series d:

        Clark–West          d = 2 · y · m      mean 2 R²    variance 4 R² (1 + R²)      (m and e normal)
        Diebold–Mariano     d = y² − e²        mean R²      variance 2 R² (2 − R²)

    At level α over n rows they have power 1 − β where √n · mean / standard deviation = z(1 − α) + z(1 − β). With
    c = (z(1 − α) + z(1 − β))² / n this is R² = c / (1 − c) for Clark–West and R² = 4c / (1 + 2c) for Diebold–Mariano:
    the same skill takes about four times the rows to show in plain squared errors (compare Clark & McCracken 2001,
    Journal of Econometrics 105; McCracken 2007, Journal of Econometrics 140). Cohen (1988), Statistical Power Analysis
    for the Behavioral Sciences, ch. 2, has the general argument and the custom of 80 %.
    """
    from scipy.special import ndtri

    if n < 1:
        raise ValueError(f"n is {n}, expected at least 1 row")
    c = (ndtri(1 - level) + ndtri(power)) ** 2 / n
    if 2 * c >= 1:
        return float("nan")
    r_squared = c / (1 - c) if test == "clark_west" else 4 * c / (1 + 2 * c)
    return float(1 - (1 - r_squared) ** 0.5)


def _check_horizon(horizon: int, n: int) -> None:
    if not 1 <= horizon <= n:
        raise ValueError(f"horizon is {horizon}, expected between 1 and the {n} rows given")


def _long_run_variance(values: Floats, horizon: int, *, bartlett: bool) -> float:
    """Variance plus twice the first horizon − 1 autocovariances, each divided by n."""
    n = len(values)
    centred = values - values.mean()
    lags = [float(centred[lag:] @ centred[: n - lag]) / n for lag in range(horizon)]
    weights = [1 - lag / horizon if bartlett else 1.0 for lag in range(horizon)]
    return lags[0] + 2 * sum(weight * lag for weight, lag in zip(weights[1:], lags[1:], strict=True))


def _p_value(mean: float, variance: float, freedom: int, alternative: Alternative) -> float:
    from scipy.special import stdtr

    # Differences that are equal up to rounding have no variance either.
    if not variance > np.finfo(float).eps ** 2 * mean**2:
        return float("nan")
    statistic = mean / np.sqrt(variance)
    tail = {"less": statistic, "greater": -statistic, "two-sided": -abs(statistic)}[alternative]
    return float(stdtr(freedom, tail)) * (2 if alternative == "two-sided" else 1)
