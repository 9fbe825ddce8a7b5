"""Direction: against scipy's contingency tables and binomial tests, and in worlds where the truth is known."""

import math

import numpy as np
import pytest
from scipy import stats

from stock_assets.forecasting.metrics import directional_accuracy, with_a_sign
from stock_assets.forecasting.significance import accuracy_lower_bound, pesaran_timmermann, up_share

RNG = np.random.default_rng(7)
ACTUAL = 0.01 * RNG.standard_normal(300) + 0.002
PREDICTED = 0.3 * ACTUAL + 0.01 * RNG.standard_normal(300)


@pytest.mark.parametrize("sign", [1, -1])
def test_pesaran_timmermann_agrees_with_the_chi_square_test_of_independence(sign: int) -> None:
    """Algebra: the squared statistic is Pearson's for the 2 × 2 table, times n / (n − 1)."""
    rose, said = ACTUAL > 0, sign * PREDICTED > 0
    table = [[np.sum(rose & said), np.sum(rose & ~said)], [np.sum(~rose & said), np.sum(~rose & ~said)]]
    statistic = math.sqrt(stats.chi2_contingency(table, correction=False).statistic * 300 / 299)
    expected = stats.norm.sf(sign * statistic)
    assert pesaran_timmermann(ACTUAL, sign * PREDICTED) == pytest.approx(expected, rel=1e-9)


def test_always_up_has_no_timing_however_often_it_is_right() -> None:
    mostly_up = np.abs(ACTUAL)
    mostly_up[:5] *= -1
    assert directional_accuracy(mostly_up, np.ones(300)) > 0.98
    assert math.isnan(pesaran_timmermann(mostly_up, np.ones(300)))
    assert math.isnan(pesaran_timmermann(np.abs(ACTUAL), PREDICTED))


def test_without_a_relation_pesaran_timmermann_rejects_as_often_as_it_says() -> None:
    """Nominal 5 %; 2,000 worlds give a standard error of half a point."""
    rng = np.random.default_rng(1)
    p_values = [pesaran_timmermann(rng.normal(0.1, 1, 250), rng.normal(0.3, 1, 250)) for _ in range(2000)]
    assert 0.035 < np.mean(np.array(p_values) < 0.05) < 0.065


def test_the_lower_bound_agrees_with_scipys_exact_binomial_interval() -> None:
    right = int(np.sum((ACTUAL > 0) == (PREDICTED > 0)))
    expected = stats.binomtest(right, 300, alternative="greater").proportion_ci(0.99, method="exact").low
    assert accuracy_lower_bound(ACTUAL, PREDICTED) == pytest.approx(expected, rel=1e-9)


def test_at_the_lower_bound_so_many_hits_have_a_chance_of_one_per_cent() -> None:
    right = int(np.sum((ACTUAL > 0) == (PREDICTED > 0)))
    bound = accuracy_lower_bound(ACTUAL, PREDICTED)
    assert stats.binom.sf(right - 1, 300, bound) == pytest.approx(0.01, rel=1e-9)


def test_never_right_is_bounded_by_zero() -> None:
    assert accuracy_lower_bound([0.1, 0.2], [-0.1, -0.1]) == 0


def test_up_share_is_what_always_up_scores_on_the_same_rows() -> None:
    actual, predicted = [0.01, -0.01, 0.0, 0.02, 0.03], [0.5, 0.5, 0.5, 0.0, -0.5]
    assert up_share(actual, predicted) == pytest.approx(2 / 3)
    rose, said = with_a_sign(actual, predicted)
    assert rose.tolist() == [True, False, True]
    assert said.tolist() == [True, True, False]


def test_the_random_walk_says_nothing_about_direction() -> None:
    for figure in (pesaran_timmermann, accuracy_lower_bound, up_share):
        assert math.isnan(figure(ACTUAL, np.zeros(300)))
    assert math.isnan(pesaran_timmermann([0.1], [0.1]))
