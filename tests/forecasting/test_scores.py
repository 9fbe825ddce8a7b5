"""What a row of the evaluation is made of: each figure from the columns it is of, recomputed from the table."""

import numpy as np
import pytest
from scipy import stats
from statsmodels.stats.proportion import proportion_confint

from stock_assets.forecasting.metrics import crps
from stock_assets.forecasting.resampling import block_length, draw_shares
from stock_assets.forecasting.scores import RESAMPLED, Scored, point_scores, resampled_scores, rows_version
from tests.forecasting.scored import predictions_of

RNG = np.random.default_rng(17)
ACTUAL = 0.02 * RNG.standard_normal(90)
SAID = 0.3 * ACTUAL + 0.01 * RNG.standard_normal(90)
ROWS = predictions_of("good", SAID, ACTUAL)
WALK = predictions_of("random_walk", 0 * ACTUAL, ACTUAL)


def test_direction_is_of_log_returns_and_bounded_exactly() -> None:
    scores = point_scores(Scored.of(ROWS), 1.0)
    right = int(np.sum(np.sign(SAID) == np.sign(ACTUAL)))
    assert scores["directional_accuracy"] == right / 90
    both_sides = proportion_confint(right, 90, alpha=0.02, method="beta")
    assert scores["directional_accuracy_lower"] == pytest.approx(both_sides[0], rel=1e-9)
    assert scores["up_share"] == np.mean(ACTUAL > 0)


def test_crps_is_of_the_nine_quantiles_of_the_close_in_order() -> None:
    columns = [
        "lower_95",
        "lower_90",
        "lower_80",
        "lower_50",
        "predicted",
        "upper_50",
        "upper_80",
        "upper_90",
        "upper_95",
    ]
    levels = np.array([0.025, 0.05, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.975])
    expected = crps(ROWS["actual"], ROWS[columns].to_numpy().T, levels)
    assert point_scores(Scored.of(ROWS), 1.0)["crps"] == pytest.approx(expected, rel=1e-12)


def test_the_absolute_error_has_a_test_of_its_own() -> None:
    difference = np.abs(ACTUAL) - np.abs(ACTUAL - SAID)
    expected = stats.ttest_1samp(difference, 0, alternative="greater").pvalue
    assert point_scores(Scored.of(ROWS), 1.0)["dm_hln_abs_p"] == pytest.approx(expected, rel=1e-9)


def test_the_interval_of_skill_is_of_closes() -> None:
    figures = resampled_scores({"random_walk": Scored.of(WALK), "good": Scored.of(ROWS)})["good"]
    losses = (ACTUAL - SAID) ** 2 - ACTUAL**2
    shares = draw_shares(90, block_length(losses[:, None]))
    squared, naive = (ROWS["predicted"] - ROWS["actual"]) ** 2, (ROWS["naive"] - ROWS["actual"]) ** 2
    skills = 1 - np.sqrt([np.average(squared, weights=w) / np.average(naive, weights=w) for w in shares])
    assert figures["skill_lower"] == pytest.approx(np.quantile(skills, 0.025), rel=1e-9)
    assert figures["skill_upper"] == pytest.approx(np.quantile(skills, 0.975), rel=1e-9)
    assert tuple(figures) == RESAMPLED


def test_the_version_of_the_rows_does_not_depend_on_the_order_of_models_or_the_sign_of_zero() -> None:
    walk, good = Scored.of(WALK), Scored.of(ROWS)
    version = rows_version({"random_walk": walk, "good": good})
    negative = Scored.of(WALK.assign(predicted_log_return=-0.0))
    assert rows_version({"good": good, "random_walk": negative}) == version
    assert rows_version({"good": walk, "random_walk": good}) != version
    assert rows_version({"random_walk": walk}) != version
