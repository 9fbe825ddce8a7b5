"""The tests of significance: against R, statsmodels and scipy, and in simulated worlds where the truth is known."""

import math

import numpy as np
import pytest
from scipy import stats
from statsmodels.regression.linear_model import OLS
from statsmodels.stats.multitest import multipletests

from stock_assets.forecasting.significance import clark_west, diebold_mariano, holm

# One-step errors on observations 81–100 of R's series WWWusage, with parameters estimated on 1–80: ets (A,Ad,N) and
# ARIMA(1,1,1), the example of forecast::dm.test's help page. The errors were computed again with statsmodels, so the
# last printed digit of R's p-values may differ by one.
ETS = [
    *(-0.0001, -0.00001, -1.2, -4.00031, 3.79906, 3.40131, -1.19942, -0.80058, -1.20011, 3.39975),
    *(7.00098, 2.20155, -4.79999, -1.20142, 3.40007, 3.00098, 0.40051, -6.80014, -2.4018, 1.19992),
]
ARIMA = [
    *(0.121, 8.0624, -0.91898, -1.79524, 5.34312, 2.04601, -0.60733, 0.55168, -0.76332, 4.12294),
    *(5.87855, 1.28285, -3.48543, 1.19712, 3.17094, 2.34085, 0.49623, -5.98414, 0.15368, 0.42081),
]


@pytest.mark.parametrize(
    ("settings", "r_says"),
    [
        ({}, 0.8871),
        ({"alternative": "less"}, 0.4435),
        ({"alternative": "greater"}, 0.5565),
        ({"power": 1}, 0.7818),
        ({"horizon": 10}, 0.9362),
    ],
)
def test_diebold_mariano_agrees_with_r(settings: dict[str, object], r_says: float) -> None:
    assert diebold_mariano(ETS, ARIMA, **settings) == pytest.approx(r_says, abs=1.5e-4)


def test_diebold_mariano_of_one_step_is_a_t_test_with_the_correction() -> None:
    rng = np.random.default_rng(0)
    first, second = rng.standard_normal(30), rng.standard_normal(30)
    # For one step the correction is √((n − 1) / n), which turns the variance over n into the one over n − 1.
    expected = stats.ttest_1samp(first**2 - second**2, 0, alternative="greater").pvalue
    assert diebold_mariano(first, second, alternative="greater") == pytest.approx(expected, rel=1e-10)


def test_greater_means_that_the_second_forecast_is_better() -> None:
    rng = np.random.default_rng(0)
    bad, good = rng.standard_normal(200), 0.3 * rng.standard_normal(200)
    assert diebold_mariano(bad, good, alternative="greater") < 1e-6
    assert diebold_mariano(good, bad, alternative="greater") > 1 - 1e-6


def test_a_negative_variance_estimate_falls_back_to_bartlett_weights() -> None:
    # Alternating losses: the first autocovariance is nearly minus the variance, and the plain sum is negative.
    first = np.sqrt(1.5 + np.tile([1.0, -1.0], 20) + 0.01 * np.arange(40))
    assert 0 < diebold_mariano(first, np.zeros(40) + 1.2, horizon=2) < 1


@pytest.mark.parametrize("horizon", [1, 3])
def test_clark_west_agrees_with_a_regression_on_a_constant(horizon: int) -> None:
    rng = np.random.default_rng(5)
    actual = 0.01 * rng.standard_normal(80)
    predicted = 0.002 * rng.standard_normal(80) + 0.05 * actual
    regression = OLS(2 * actual * predicted, np.ones(80)).fit(
        cov_type="HAC", cov_kwds={"maxlags": horizon - 1, "use_correction": True}
    )
    expected = stats.t.sf(regression.tvalues[0], 79)
    assert clark_west(actual, predicted, horizon=horizon) == pytest.approx(expected, rel=1e-8)


def test_clark_west_of_the_random_walk_itself_says_nothing() -> None:
    assert math.isnan(clark_west([0.01, -0.02, 0.03], [0.0, 0.0, 0.0]))
    assert math.isnan(diebold_mariano([0.01, -0.02, 0.03], [0.01, -0.02, 0.03]))


def test_one_row_says_nothing() -> None:
    assert math.isnan(clark_west([0.01], [0.01]))
    assert math.isnan(diebold_mariano([0.01], [0.02]))


def test_a_constant_difference_has_no_variance_up_to_rounding() -> None:
    assert math.isnan(diebold_mariano(np.full(50, 0.3), np.full(50, 0.1)))


@pytest.mark.parametrize("horizon", [0, 4])
def test_a_horizon_outside_the_rows_is_refused(horizon: int) -> None:
    with pytest.raises(ValueError, match=f"horizon is {horizon}, expected between 1 and the 3 rows"):
        clark_west([0.1, 0.2, 0.3], [0.1, 0.1, 0.2], horizon=horizon)


def test_holm_agrees_with_statsmodels() -> None:
    p_values = {"a": 0.03, "b": 0.01, "c": 0.04, "d": 0.5, "e": 0.011}
    expected = multipletests(list(p_values.values()), method="holm")[1]
    assert list(holm(p_values).values()) == pytest.approx(list(expected))
    assert list(holm(p_values)) == list(p_values)


def test_holm_counts_a_test_without_an_answer() -> None:
    adjusted = holm({"silent": math.nan, "loud": 0.02})
    assert adjusted["loud"] == pytest.approx(0.04)
    assert math.isnan(adjusted["silent"])


def test_holm_of_nothing_is_nothing() -> None:
    assert holm({}) == {}


def simulated_p_values(r_squared: float, *, n_worlds: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """p-values of Clark–West and Diebold–Mariano in simulated worlds.

    Returns are GARCH(1,1) noise around an AR(1) of the given R². A least-squares AR(5) is fitted on 500 rows and
    predicts the next 120.
    """
    rng = np.random.default_rng(seed)
    n, lags = 640, 5
    returns, variance, last = np.zeros((n_worlds, n)), np.ones(n_worlds), np.zeros(n_worlds)
    for t in range(n):
        noise = np.sqrt(variance) * rng.standard_normal(n_worlds)
        variance = 0.02 + 0.08 * noise**2 + 0.90 * variance
        last = np.sqrt(r_squared) * last + np.sqrt(1 - r_squared) * noise
        returns[:, t] = last
    cw, dm = [], []
    for world in returns:
        x = np.column_stack([world[lags - k : -k] for k in range(1, lags + 1)])
        y = world[lags:]
        weights = np.linalg.lstsq(x[:500], y[:500], rcond=None)[0]
        predicted, actual = x[-120:] @ weights, y[-120:]
        cw.append(clark_west(actual, predicted))
        dm.append(diebold_mariano(actual, actual - predicted, alternative="greater"))
    return np.array(cw), np.array(dm)


def test_without_a_signal_clark_west_rejects_about_as_often_as_it_says() -> None:
    """Nominal 5 %; 2,000 worlds give a standard error of half a point."""
    cw, dm = simulated_p_values(0.0, n_worlds=2000, seed=1)
    assert 0.025 < np.mean(cw < 0.05) < 0.065
    assert np.mean(dm < 0.05) < 0.02  # the fitted model loses to what it nests: why DM alone will not do


def test_a_planted_signal_is_found_by_clark_west_and_mostly_missed_by_diebold_mariano() -> None:
    cw, dm = simulated_p_values(0.05, n_worlds=500, seed=2)
    assert np.mean(cw < 0.05) > 0.6
    assert np.mean(dm < 0.05) < np.mean(cw < 0.05) / 2
