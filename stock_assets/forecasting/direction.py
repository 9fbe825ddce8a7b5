"""Direction: are the signs better than chance?

Every function takes log returns and predicted ones, shape (n,). Rows where either is zero say nothing about direction
and are left out. A figure is NaN where no test is possible: no row is left, or one side never changes its sign.
"""

import numpy as np
from numpy.typing import ArrayLike, NDArray

from stock_assets.forecasting.metrics import aligned

CONFIDENCE = 0.99
"""Of the lower bound of directional accuracy: what lies above it is first of all a leak to look for."""


def with_a_sign(actual: ArrayLike, predicted: ArrayLike) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Whether returns rose and were said to rise, of the rows where neither is zero."""
    actual, predicted = aligned(actual=actual, predicted=predicted)
    says_something = (actual != 0) & (predicted != 0)
    return actual[says_something] > 0, predicted[says_something] > 0


def up_share(actual: ArrayLike, predicted: ArrayLike) -> float:
    """Share of the rows with a sign that rose: the directional accuracy of always saying up."""
    rose, _ = with_a_sign(actual, predicted)
    return float(rose.mean()) if len(rose) else float("nan")


def pesaran_timmermann(actual: ArrayLike, predicted: ArrayLike) -> float:
    """One-sided p-value that predicted signs and actual signs agree more often than if they were independent.

    Pesaran & Timmermann (1992), Journal of Business & Economic Statistics 10, eq. 6. Always saying up in a rising
    market has no timing, and so no significance, however often it is right.

    Returns:
        p-value from the standard normal.
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


def accuracy_lower_bound(actual: ArrayLike, predicted: ArrayLike, *, confidence: float = CONFIDENCE) -> float:
    """Exact one-sided lower bound of directional accuracy (Clopper & Pearson 1934, Biometrika 26).

    Args:
        confidence: chance, at least, that the true accuracy is above the bound, if rows are independent.
    """
    from scipy.special import betaincinv

    rose, said = with_a_sign(actual, predicted)
    if not len(rose):
        return float("nan")
    right = int(np.sum(rose == said))
    return float(betaincinv(right, len(rose) - right + 1, 1 - confidence)) if right else 0.0
