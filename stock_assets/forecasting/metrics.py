"""Metrics: how far off, in which direction, and how honest the intervals. Adding a metric is adding a function.

Plain functions of aligned arrays, shape (n,). Vocabulary: Hyndman & Koehler (2006), International Journal of
Forecasting 22. Every function raises ValueError for empty or unequal input and names the shapes.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stock_assets.forecasting.models._base import Floats


def aligned(**arrays: ArrayLike) -> tuple[Floats, ...]:
    """The inputs as float arrays, checked to be of one common shape (n,), n at least 1."""
    floats: dict[str, NDArray[np.float64]] = {name: np.asarray(values, dtype=float) for name, values in arrays.items()}
    shapes = {name: values.shape for name, values in floats.items()}
    if len(set(shapes.values())) > 1 or any(len(shape) != 1 or shape[0] == 0 for shape in shapes.values()):
        found = ", ".join(f"{name} {shape}" for name, shape in shapes.items())
        raise ValueError(f"expected arrays of one common shape (n,), n at least 1; got {found}")
    return tuple(floats.values())


def rmse(actual: ArrayLike, predicted: ArrayLike) -> float:
    """Root mean squared error, in the unit of the input."""
    actual, predicted = aligned(actual=actual, predicted=predicted)
    return float(np.sqrt(np.mean((predicted - actual) ** 2)))


def mae(actual: ArrayLike, predicted: ArrayLike) -> float:
    """Mean absolute error, in the unit of the input."""
    actual, predicted = aligned(actual=actual, predicted=predicted)
    return float(np.mean(np.abs(predicted - actual)))


def mape(actual: ArrayLike, predicted: ArrayLike) -> float:
    """Mean absolute percentage error, a fraction of `actual`, which must not be zero."""
    actual, predicted = aligned(actual=actual, predicted=predicted)
    if (actual == 0).any():
        raise ValueError(f"mape divides by actual values, and {int((actual == 0).sum())} of {len(actual)} are zero")
    return float(np.mean(np.abs((predicted - actual) / actual)))


def mase(actual: ArrayLike, predicted: ArrayLike, scale: float) -> float:
    """Mean absolute scaled error: MAE over `scale`, the random walk's MAE on training rows. NaN where that is zero."""
    return mae(actual, predicted) / scale if scale > 0 else float("nan")


def skill_vs_naive(actual: ArrayLike, predicted: ArrayLike, naive: ArrayLike) -> float:
    """1 − RMSE / RMSE of the naive forecast on the same rows: above 0 is better. NaN where the naive one is perfect."""
    benchmark = rmse(actual, naive)
    return 1 - rmse(actual, predicted) / benchmark if benchmark > 0 else float("nan")


def with_a_sign(actual: ArrayLike, predicted: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether returns rose and were said to rise, of the rows where neither is zero."""
    actual, predicted = aligned(actual=actual, predicted=predicted)
    says_something = (actual != 0) & (predicted != 0)
    return actual[says_something] > 0, predicted[says_something] > 0


def directional_accuracy(actual_return: ArrayLike, predicted_return: ArrayLike) -> float:
    """Share of right signs among rows where neither return is zero; NaN where no row is left (the random walk)."""
    rose, said = with_a_sign(actual_return, predicted_return)
    return float(np.mean(rose == said)) if len(rose) else float("nan")


def std_ratio(actual_return: ArrayLike, predicted_return: ArrayLike) -> float:
    """Standard deviation of predicted over actual returns: how much a model dares to say. NaN where actual has none."""
    actual, predicted = aligned(actual_return=actual_return, predicted_return=predicted_return)
    spread = float(np.std(actual))
    return float(np.std(predicted)) / spread if spread > 0 else float("nan")


def coverage(actual: ArrayLike, lower: ArrayLike, upper: ArrayLike) -> float:
    """Share of actual values inside [lower, upper], ends included."""
    actual, lower, upper = aligned(actual=actual, lower=lower, upper=upper)
    return float(np.mean((lower <= actual) & (actual <= upper)))


def mean_width(lower: ArrayLike, upper: ArrayLike) -> float:
    """Mean of upper − lower, in the unit of the input."""
    lower, upper = aligned(lower=lower, upper=upper)
    return float(np.mean(upper - lower))


def pinball(actual: ArrayLike, quantile: ArrayLike, level: float) -> float:
    """Mean pinball loss of forecasts of one quantile, between 0 and 1 (Koenker & Bassett 1978, Econometrica 46)."""
    if not 0 < level < 1:
        raise ValueError(f"level of a quantile is {level}, expected between 0 and 1")
    actual, quantile = aligned(actual=actual, quantile=quantile)
    miss = actual - quantile
    return float(np.mean(np.maximum(level * miss, (level - 1) * miss)))


def qlike(squared_return: ArrayLike, volatility: ArrayLike) -> float:
    """QLIKE loss of forecasts of σ > 0: mean of ln(σ²) + r²/σ² (Patton 2011, Journal of Econometrics 160)."""
    squared, sd = aligned(squared_return=squared_return, volatility=volatility)
    return float(np.mean(2 * np.log(sd) + squared / sd**2))


def crps(actual: ArrayLike, quantiles: ArrayLike, levels: ArrayLike) -> float:
    """Mean continuous ranked probability score of forecasts given as a few quantiles, in the unit of the input.

    CRPS is twice the integral of the pinball loss over all levels (Gneiting & Ranjan 2011, Journal of Business &
    Economic Statistics 29, eq. 11). Between the levels that are there the quantile function is taken to be linear, and
    outside them constant; the integral of that is exact. With nine levels from 0.025 to 0.975 the result for normal
    and Student forecasts is within 0.5 % of that of the whole distribution.

    Args:
        quantiles: forecasts, shape (k, n), one row a level, not descending.
        levels: strictly ascending between 0 and 1, shape (k,).
    """
    actual, forecasts, steps = np.asarray(actual, float), np.asarray(quantiles, float), np.asarray(levels, float)
    if forecasts.shape != (len(steps), len(actual)) or not len(actual):
        raise ValueError(
            f"expected quantiles of shape (levels, n), n at least 1; got quantiles {forecasts.shape}, levels "
            f"{steps.shape}, actual {actual.shape}"
        )
    edges = np.concatenate([[0.0], steps, [1.0]])
    if not (np.diff(edges) > 0).all():
        raise ValueError(f"levels are {steps.tolist()}, expected strictly ascending between 0 and 1")
    miss = actual - np.concatenate([forecasts[:1], forecasts, forecasts[-1:]])
    losses = np.maximum(edges[:, None] * miss, (edges[:, None] - 1) * miss)
    return float(2 * np.mean(np.trapezoid(losses, edges, axis=0) + _beyond_trapezoids(actual, forecasts, steps)))


def _beyond_trapezoids(actual: Floats, quantiles: Floats, levels: Floats) -> Floats:
    """What trapezoids leave out of the integral of pinball losses of a piecewise linear quantile function, shape (n,).

    On a step of width h over which the quantile rises by d, the loss is a parabola of curvature −2 d / h, and has a
    kink where it passes the actual value, u above the lower and d − u below the upper quantile.
    """
    rise, width = np.diff(quantiles, axis=0), np.diff(levels)[:, None]
    passed = np.clip(actual - quantiles[:-1], 0, rise)
    kink = np.divide(passed * (rise - passed), rise, out=np.zeros_like(rise), where=rise > 0)
    beyond: Floats = (rise * width**2 / 6 - width * kink / 2).sum(axis=0)
    return beyond
