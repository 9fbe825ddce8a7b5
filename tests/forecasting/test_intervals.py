import json
import math

import numpy as np
import pytest

from stock_assets.forecasting.errors import TooFewRows
from stock_assets.forecasting.intervals import LEVELS, Calibration


@pytest.fixture
def calibration():
    rng = np.random.default_rng(0)
    volatility = 0.01 * np.exp(rng.standard_normal(400))
    return Calibration.from_residuals(volatility * rng.standard_normal(400), volatility)


@pytest.mark.parametrize("n", [19, 20, 99, 100, 101, 400])
@pytest.mark.parametrize("level", LEVELS)
def test_the_quantile_is_the_order_statistic_of_split_conformal_prediction(n, level):
    scores = np.arange(1.0, n + 1)  # the k-th smallest score is k
    quantile = Calibration.from_residuals(-scores, np.ones(n)).quantile(level)
    assert quantile == math.ceil(round((n + 1) * level / 100, 9))


def test_intervals_cover_as_often_as_they_say_whatever_the_volatility():
    rng = np.random.default_rng(1)
    covered = []
    for _ in range(400):
        volatility = np.exp(rng.standard_normal(101))
        outcome = volatility * rng.standard_t(4, 101)
        lower, upper = Calibration.from_residuals(outcome[:100], volatility[:100]).bounds(
            np.zeros(1), volatility[100:], 90
        )
        covered.append(lower[0] <= outcome[100] <= upper[0])
    assert np.mean(covered) == pytest.approx(0.90, abs=0.045)  # three standard errors


def test_bounds_lie_around_the_point_in_proportion_to_volatility(calibration):
    point, volatility = np.array([0.0, 0.01]), np.array([0.01, 0.03])
    lower, upper = calibration.bounds(point, volatility, 90)
    np.testing.assert_allclose((lower + upper) / 2, point, atol=1e-15)
    assert (upper - lower)[1] / (upper - lower)[0] == pytest.approx(3.0)


def test_higher_levels_are_wider(calibration):
    widths = [calibration.quantile(level) for level in LEVELS]
    assert widths == sorted(widths)


def test_pooling_is_calibrating_on_all_rows_at_once():
    rng = np.random.default_rng(2)
    residuals, volatility = rng.standard_normal(60), np.exp(rng.standard_normal(60))
    parts = [Calibration.from_residuals(residuals[rows], volatility[rows]) for rows in (slice(0, 25), slice(25, 60))]
    assert Calibration.pooled(parts) == Calibration.from_residuals(residuals, volatility)


def test_scores_survive_json_exactly(calibration):
    assert Calibration.from_json(json.loads(json.dumps(calibration.to_json()))) == calibration


def test_too_few_scores_for_the_highest_level_are_refused_with_both_numbers():
    with pytest.raises(TooFewRows, match=r"^18 out-of-sample predictions .* 95 % interval needs 19"):
        Calibration.from_residuals(np.ones(18), np.ones(18))


def test_a_score_that_is_not_a_number_is_a_mistake_of_the_caller():
    residuals = np.ones(30)
    residuals[3] = np.nan
    with pytest.raises(ValueError, match="must be finite"):
        Calibration.from_residuals(residuals, np.ones(30))
