"""Every metric against a plain loop, by hand, or against scikit-learn."""

import math

import numpy as np
import pytest
from scipy import stats
from sklearn.metrics import mean_absolute_percentage_error, mean_pinball_loss

from stock_assets.forecasting import metrics

RNG = np.random.default_rng(3)
ACTUAL = 100 + RNG.standard_normal(50)
PREDICTED = ACTUAL + RNG.standard_normal(50)


def test_rmse_and_mae_agree_with_a_plain_loop() -> None:
    squares = [(p - a) ** 2 for a, p in zip(ACTUAL, PREDICTED, strict=True)]
    absolutes = [abs(p - a) for a, p in zip(ACTUAL, PREDICTED, strict=True)]
    assert metrics.rmse(ACTUAL, PREDICTED) == pytest.approx(math.sqrt(sum(squares) / 50), rel=1e-12)
    assert metrics.mae(ACTUAL, PREDICTED) == pytest.approx(sum(absolutes) / 50, rel=1e-12)


def test_mape_agrees_with_scikit_learn_and_is_a_fraction() -> None:
    assert metrics.mape(ACTUAL, PREDICTED) == pytest.approx(mean_absolute_percentage_error(ACTUAL, PREDICTED))
    assert metrics.mape([100.0, 200.0], [101.0, 198.0]) == pytest.approx(0.01)


def test_mape_of_zero_is_refused_instead_of_infinite() -> None:
    with pytest.raises(ValueError, match="1 of 2 are zero"):
        metrics.mape([0.0, 1.0], [1.0, 1.0])


def test_mase_divides_by_the_scale_it_is_given() -> None:
    assert metrics.mase([1.0, 2.0], [2.0, 4.0], 3.0) == pytest.approx(0.5)
    assert math.isnan(metrics.mase([1.0], [2.0], 0.0))


def test_skill_is_positive_exactly_when_the_error_is_lower() -> None:
    assert metrics.skill_vs_naive([1.0, 1.0], [1.5, 0.5], [2.0, 2.0]) == pytest.approx(0.5)
    assert metrics.skill_vs_naive([1.0, 1.0], [3.0, 3.0], [2.0, 2.0]) == pytest.approx(-1.0)
    assert metrics.skill_vs_naive([1.0], [2.0], [2.0]) == 0
    assert math.isnan(metrics.skill_vs_naive([1.0], [2.0], [1.0]))


def test_directional_accuracy_leaves_out_rows_that_say_nothing() -> None:
    actual = [0.01, -0.01, 0.0, 0.02, -0.03]
    predicted = [0.5, 0.5, 0.5, 0.0, -0.5]
    assert metrics.directional_accuracy(actual, predicted) == pytest.approx(2 / 3)


def test_the_random_walk_has_no_direction() -> None:
    assert math.isnan(metrics.directional_accuracy([0.01, -0.01], [0.0, 0.0]))


def test_std_ratio_shows_how_much_a_model_dares_to_say() -> None:
    assert metrics.std_ratio([1.0, -1.0], [0.1, -0.1]) == pytest.approx(0.1)
    assert metrics.std_ratio([1.0, -1.0], [0.2, 0.2]) == 0
    assert math.isnan(metrics.std_ratio([1.0], [0.1]))


def test_coverage_includes_both_ends() -> None:
    assert metrics.coverage([1.0, 2.0, 3.0, 4.0], [1.0, 2.5, 2.0, 0.0], [2.0, 3.0, 3.0, 3.9]) == 0.5


def test_mean_width_is_upper_minus_lower() -> None:
    assert metrics.mean_width([1.0, 2.0], [2.0, 5.0]) == 2.0


@pytest.mark.parametrize("level", [0.05, 0.5, 0.9])
def test_pinball_agrees_with_scikit_learn(level: float) -> None:
    expected = mean_pinball_loss(ACTUAL, PREDICTED, alpha=level)
    assert metrics.pinball(ACTUAL, PREDICTED, level) == pytest.approx(expected, rel=1e-12)


def test_a_quantile_level_of_90_is_refused() -> None:
    with pytest.raises(ValueError, match="is 90, expected between 0 and 1"):
        metrics.pinball([1.0], [1.0], 90)


def test_qlike_is_lowest_at_the_true_variance() -> None:
    squared = (0.02 * np.random.default_rng(1).standard_normal(20_000)) ** 2
    losses = {sd: metrics.qlike(squared, np.full(20_000, sd)) for sd in (0.015, 0.018, 0.02, 0.022, 0.03)}
    assert min(losses, key=losses.__getitem__) == 0.02
    assert metrics.qlike([0.04], [0.2]) == pytest.approx(math.log(0.04) + 1)


def test_unequal_lengths_are_refused_with_both() -> None:
    with pytest.raises(ValueError, match=r"actual \(2,\), predicted \(1,\)"):
        metrics.rmse([1.0, 2.0], [1.0])


def test_empty_input_is_refused() -> None:
    with pytest.raises(ValueError, match=r"n at least 1; got actual \(0,\)"):
        metrics.mae([], [])


def test_a_column_vector_is_refused_since_it_would_broadcast() -> None:
    with pytest.raises(ValueError, match=r"actual \(2, 1\), predicted \(2,\)"):
        metrics.rmse([[1.0], [2.0]], [1.0, 2.0])


LEVELS = np.array([0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975])


def test_crps_agrees_with_a_numeric_integral_of_pinball_losses() -> None:
    """Twice the mean pinball loss over a fine grid of levels, quantiles interpolated between the nine."""
    rng, grid = np.random.default_rng(2), (np.arange(20_000) + 0.5) / 20_000
    for actual in (-3.0, -1.2, 0.01, 0.4, 2.5):
        nine = np.sort(rng.standard_normal(9))
        between = np.interp(grid, LEVELS, nine)
        losses = np.where(actual < between, (between - actual) * (1 - grid), (actual - between) * grid)
        assert metrics.crps([actual], nine[:, None], LEVELS) == pytest.approx(2 * losses.mean(), rel=1e-6)


def test_crps_agrees_with_the_integral_of_the_squared_distance_of_distribution_functions() -> None:
    """Its other definition, ∫ (F(x) − 1{x ≥ y})² dx, from many quantiles of a normal forecast."""
    levels, grid = np.arange(1, 2000) / 2000, np.linspace(-8, 8, 160_001)
    for actual in (-1.7, 0.0, 0.4):
        expected = np.trapezoid((stats.norm.cdf(grid) - (grid >= actual)) ** 2, grid)
        assert metrics.crps([actual], stats.norm.ppf(levels)[:, None], levels) == pytest.approx(expected, rel=1e-3)


def test_crps_from_nine_quantiles_is_near_that_of_the_whole_normal() -> None:
    """Closed form: Gneiting & Raftery (2007), Journal of the American Statistical Association 102, eq. 21."""
    actual = np.random.default_rng(4).standard_normal(20_000)
    exact = np.mean(actual * (2 * stats.norm.cdf(actual) - 1) + 2 * stats.norm.pdf(actual) - 1 / math.sqrt(math.pi))
    quantiles = np.repeat(stats.norm.ppf(LEVELS)[:, None], len(actual), axis=1)
    assert metrics.crps(actual, quantiles, LEVELS) == pytest.approx(exact, rel=0.005)


def test_crps_of_a_point_forecast_is_its_absolute_error() -> None:
    point = np.repeat(PREDICTED[None, :], 9, axis=0)
    assert metrics.crps(ACTUAL, point, LEVELS) == pytest.approx(metrics.mae(ACTUAL, PREDICTED), rel=1e-12)


def test_crps_of_the_wrong_shape_or_order_is_refused() -> None:
    with pytest.raises(ValueError, match=r"got quantiles \(2, 3\), levels \(2,\), actual \(2,\)"):
        metrics.crps([1.0, 2.0], np.zeros((2, 3)), [0.1, 0.9])
    with pytest.raises(ValueError, match=r"levels are \[0\.9, 0\.1\], expected strictly ascending between 0 and 1"):
        metrics.crps([1.0], np.zeros((2, 1)), [0.9, 0.1])
