"""Minimum detectable skill: at it, the tests themselves reject four times out of five."""

import math

import numpy as np
import pytest

from stock_assets.forecasting.significance import Test, clark_west, diebold_mariano, minimum_detectable_skill


def rejections(skill: float, n: int, *, n_worlds: int = 1500) -> tuple[float, float]:
    """How often Clark–West and Diebold–Mariano reject at 5 % for a model that knows the conditional mean."""
    rng = np.random.default_rng(n)
    r_squared = 1 - (1 - skill) ** 2
    known = math.sqrt(r_squared) * rng.standard_normal((n_worlds, n))
    actual = known + math.sqrt(1 - r_squared) * rng.standard_normal((n_worlds, n))
    cw = [clark_west(a, k) for a, k in zip(actual, known, strict=True)]
    dm = [diebold_mariano(a, a - k, alternative="greater") for a, k in zip(actual, known, strict=True)]
    return float(np.mean(np.array(cw) < 0.05)), float(np.mean(np.array(dm) < 0.05))


@pytest.mark.parametrize("n", [126, 500, 1260])
def test_at_the_minimum_detectable_skill_both_tests_reject_four_times_out_of_five(n: int) -> None:
    """1,500 worlds have a standard error of one point; the normal approximation costs the rest."""
    assert rejections(minimum_detectable_skill(n), n)[0] == pytest.approx(0.8, abs=0.04)
    assert rejections(minimum_detectable_skill(n, test="diebold_mariano"), n)[1] == pytest.approx(0.8, abs=0.04)


def test_a_gain_of_a_fifth_of_a_per_cent_takes_thousands_of_days_to_prove_in_plain_squared_errors() -> None:
    assert minimum_detectable_skill(6200, test="diebold_mariano") == pytest.approx(0.002, rel=0.01)
    assert minimum_detectable_skill(1545) == pytest.approx(0.002, rel=0.01)


def test_more_rows_show_less_skill() -> None:
    skills = [minimum_detectable_skill(n) for n in (50, 126, 252, 1260, 5000)]
    assert skills == sorted(skills, reverse=True)


@pytest.mark.parametrize("test", ["clark_west", "diebold_mariano"])
def test_a_dozen_rows_show_no_skill_at_all(test: Test) -> None:
    assert math.isnan(minimum_detectable_skill(12, test=test))
    assert 0 < minimum_detectable_skill(13, test=test) < 1


def test_no_rows_are_refused() -> None:
    with pytest.raises(ValueError, match="n is 0, expected at least 1 row"):
        minimum_detectable_skill(0)
