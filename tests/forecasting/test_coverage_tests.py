"""Oracles: statsmodels for Wilson, Kupiec's published table, and scipy's G-test for independence."""

import numpy as np
import pytest
from scipy.stats import chi2, chi2_contingency
from statsmodels.stats.proportion import proportion_confint

from stock_assets.forecasting.coverage_tests import christoffersen, kupiec, wilson


@pytest.mark.parametrize(("hits", "n"), [(0, 7), (7, 7), (1, 1), (113, 126), (450, 500), (63, 126)])
def test_the_interval_of_a_share_is_that_of_statsmodels(hits, n):
    expected = proportion_confint(hits, n, alpha=0.05, method="wilson")
    assert wilson(hits, n) == pytest.approx(expected, abs=1e-12)


@pytest.mark.parametrize("n", [1, 2, 20, 63, 1000])
def test_an_interval_of_a_share_holds_the_share_and_ends_at_its_limits(n):
    assert wilson(0, n)[0] == 0.0
    assert wilson(n, n)[1] == 1.0
    for hits in range(n + 1):
        lower, upper = wilson(hits, n)
        assert 0 <= lower <= hits / n <= upper <= 1


# Kupiec (1995), table 3: numbers of failures x among n for which coverage 1 - p is not rejected at 5 %, ends excluded.
@pytest.mark.parametrize(
    ("p", "n", "low", "high"),
    [
        *((0.025, 255, 2, 12), (0.05, 255, 6, 21), (0.10, 255, 16, 36)),
        *((0.01, 510, 1, 11), (0.025, 510, 6, 21), (0.05, 510, 16, 36), (0.10, 510, 38, 65)),
        *((0.01, 1000, 4, 17), (0.025, 1000, 15, 36), (0.05, 1000, 37, 65), (0.10, 1000, 81, 120)),
    ],
)
def test_the_numbers_of_failures_that_are_not_rejected_are_those_of_the_paper(p, n, low, high):
    accepted = [failures for failures in range(n + 1) if kupiec(n - failures, n, 1 - p) > 0.05]
    assert (accepted[0], accepted[-1]) == (low + 1, high - 1)


@pytest.mark.parametrize("failures", [0, 3, 10, 40])
def test_kupiec_is_the_likelihood_ratio(failures):
    n, p, share = 200, 0.05, failures / 200
    at = [failures * np.log(q) if failures else 0.0 for q in (share or 1.0, p)]
    beyond = [(n - failures) * np.log(1 - q) for q in (share, p)]
    ratio = 2 * (at[0] + beyond[0] - at[1] - beyond[1])
    assert kupiec(n - failures, n, 0.95) == pytest.approx(chi2.sf(ratio, 1), rel=1e-9)


def test_a_coverage_as_promised_gives_no_doubt():
    assert kupiec(90, 100, 0.90) == pytest.approx(1.0)


@pytest.mark.parametrize("seed", range(5))
def test_christoffersen_is_the_g_test_of_the_table_of_transitions(seed):
    missed = np.random.default_rng(seed).random(400) < 0.1
    table = [[((missed[:-1] == a) & (missed[1:] == b)).sum() for b in (False, True)] for a in (False, True)]
    expected = chi2_contingency(table, correction=False, lambda_="log-likelihood").pvalue
    assert christoffersen(missed) == pytest.approx(expected, rel=1e-9)


def test_misses_in_clusters_are_found_and_misses_apart_are_not():
    clustered = np.tile([*[False] * 45, *[True] * 5], 10)
    assert christoffersen(clustered) < 1e-6
    alone = np.random.default_rng(1).random(500) < 0.1
    assert christoffersen(alone) > 0.05


@pytest.mark.parametrize("missed", [[], [True], [False] * 9, [True] * 9, [False] * 9 + [True], [True] + [False] * 9])
def test_where_nothing_can_be_compared_there_is_no_p_value(missed):
    assert np.isnan(christoffersen(missed))


@pytest.mark.parametrize(("hits", "n"), [(0, 0), (-1, 3), (4, 3)])
def test_impossible_counts_are_a_mistake_of_the_caller(hits, n):
    with pytest.raises(ValueError, match=f"{hits} hits of {n} outcomes"):
        wilson(hits, n)
    with pytest.raises(ValueError, match=f"{hits} hits of {n} outcomes"):
        kupiec(hits, n, 0.9)


@pytest.mark.parametrize("coverage", [0.0, 1.0, 90.0])
def test_a_coverage_that_is_no_fraction_is_a_mistake_of_the_caller(coverage):
    with pytest.raises(ValueError, match=f"coverage is {coverage}"):
        kupiec(5, 10, coverage)
