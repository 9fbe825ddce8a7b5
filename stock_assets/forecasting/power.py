"""Power: how much skill a number of rows can show at all.

A score without its minimum detectable effect invites reading noise. Let the next return be y = m + e with m known to
the model, R² = var(m) / var(y), and var(y) = 1. The squared-error skill is then 1 − √(1 − R²). Both tests of
`significance.py` are t-tests of the mean of a series d:

    Clark–West          d = 2 · y · m      mean 2 R²    variance 4 R² (1 + R²)      (m and e normal)
    Diebold–Mariano     d = y² − e²        mean R²      variance 2 R² (2 − R²)

A one-sided test at level α over n rows has power 1 − β where √n · mean / standard deviation = z(1 − α) + z(1 − β).
With c = (z(1 − α) + z(1 − β))² / n this is R² = c / (1 − c) for Clark–West and R² = 4c / (1 + 2c) for Diebold–Mariano:
the same skill takes about four times the rows to show in plain squared errors (compare Clark & McCracken 2001, Journal
of Econometrics 105; McCracken 2007, Journal of Econometrics 140). Cohen (1988), Statistical Power Analysis for the
Behavioral Sciences, ch. 2, has the general argument and the custom of 80 %.
"""

from typing import Literal

LEVEL = 0.05
"""Of the one-sided test."""
POWER = 0.8
"""Chance of seeing a skill of the minimum detectable size."""

Test = Literal["clark_west", "diebold_mariano"]


def minimum_detectable_skill(n: int, *, test: Test = "clark_west", level: float = LEVEL, power: float = POWER) -> float:
    """Least true skill, 1 − RMSE / RMSE of the random walk, that a one-sided test over `n` ≥ 1 rows finds so often.

    It is a best case: the model knows the conditional mean. One with estimated parameters needs more. NaN where no
    skill below 1 would be found. The test that promotes is Clark–West.
    """
    from scipy.special import ndtri

    if n < 1:
        raise ValueError(f"n is {n}, expected at least 1 row")
    c = (ndtri(1 - level) + ndtri(power)) ** 2 / n
    if 2 * c >= 1:
        return float("nan")
    r_squared = c / (1 - c) if test == "clark_west" else 4 * c / (1 + 2 * c)
    return float(1 - (1 - r_squared) ** 0.5)
