import json

import numpy as np
import pytest

from stock_assets.forecasting.shrinkage import LEAST, Shrinkage

RNG = np.random.default_rng(0)
PREDICTED = 0.01 * RNG.standard_normal(300)
VOLATILITY = 0.02 * np.exp(RNG.standard_normal(300))
NOISE = VOLATILITY * RNG.standard_normal(300)


def test_the_coefficient_is_the_weighted_least_squares_slope():
    actual = 0.6 * PREDICTED + 0.1 * NOISE
    design = (PREDICTED / VOLATILITY)[:, None]
    slope = np.linalg.lstsq(design, actual / VOLATILITY, rcond=None)[0][0]
    assert 0.0 < slope < 1.0
    assert Shrinkage.measure(PREDICTED, actual, VOLATILITY).coefficient == pytest.approx(slope)


@pytest.mark.parametrize(("slope", "expected"), [(-0.5, LEAST), (1.7, 1.0), (0.25, 0.25), (1.0, 1.0)])
def test_it_never_turns_a_prediction_round_nor_blows_it_up(slope, expected):
    assert Shrinkage.measure(PREDICTED, slope * PREDICTED, VOLATILITY).coefficient == pytest.approx(expected)


def test_a_model_that_says_nothing_keeps_saying_nothing():
    assert Shrinkage.measure(np.zeros(300), NOISE, VOLATILITY).coefficient == 0.0


def test_sums_add_up_to_those_of_all_rows():
    whole = Shrinkage.measure(PREDICTED, NOISE, VOLATILITY)
    halves = [Shrinkage.measure(PREDICTED[s], NOISE[s], VOLATILITY[s]) for s in (slice(150), slice(150, 300))]
    added = halves[0] + halves[1]
    assert added.n == whole.n
    assert added.cross == pytest.approx(whole.cross)
    assert added.predicted_square == pytest.approx(whole.predicted_square)


def test_it_survives_json_exactly_and_shows_people_the_coefficient():
    shrinkage = Shrinkage.measure(PREDICTED, 0.5 * PREDICTED, VOLATILITY)
    stored = json.loads(json.dumps(shrinkage.to_json()))
    assert Shrinkage.from_json(stored) == shrinkage
    assert stored["coefficient"] == pytest.approx(0.5)
