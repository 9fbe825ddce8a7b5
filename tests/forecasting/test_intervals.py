import json
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stock_assets.forecasting.errors import ArtifactMismatch, TooFewRows
from stock_assets.forecasting.intervals import CAP, LEVELS, STEP, Calibration


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
        calibration = Calibration.from_residuals(outcome[:100], volatility[:100])
        half_widths, _ = calibration.half_widths(np.array([np.nan]))
        covered.append(abs(outcome[100]) <= half_widths[0, LEVELS.index(90)] * volatility[100])
    assert np.mean(covered) == pytest.approx(0.90, abs=0.045)  # three standard errors


def plain_tracking(calibration, later):
    """The correction as its paper writes it, one level and one session at a time."""
    rows = {level: [] for level in LEVELS}
    corrections = dict.fromkeys(LEVELS, 1.0)
    for score in [*calibration.scores, *later]:
        halves, widest = {}, 0.0
        for level in LEVELS:
            widest = max(widest, calibration.quantile(level) * corrections[level])
            halves[level] = widest
        for level in LEVELS:
            rows[level].append(halves[level])
            if not math.isnan(score):
                missed = 1.0 if score > halves[level] else 0.0
                moved = corrections[level] * math.exp(STEP * (missed - (1 - level / 100)))
                corrections[level] = min(max(moved, 1 / CAP), CAP)
    return np.array([rows[level][len(calibration.scores) :] for level in LEVELS]).T


def test_the_correction_agrees_with_a_plain_loop(calibration):
    later = np.abs(np.random.default_rng(5).standard_t(3, 300))
    later[[20, 21, 150]] = np.nan
    half_widths, capped = calibration.half_widths(later)
    np.testing.assert_allclose(half_widths, plain_tracking(calibration, later), rtol=1e-9)
    assert capped.tolist() == [0] * 300


@given(cut=st.integers(0, 120), seed=st.integers(0, 5))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_a_width_depends_on_the_scores_before_it_only(cut, seed):
    rng = np.random.default_rng(seed)
    calibration = Calibration.from_residuals(rng.standard_normal(60), np.ones(60))
    scores = np.abs(rng.standard_normal(120))
    other = np.concatenate([scores[:cut], 100 * np.abs(rng.standard_normal(120 - cut))])
    for part in (0, 1):
        whole, changed = calibration.half_widths(scores)[part], calibration.half_widths(other)[part]
        np.testing.assert_array_equal(whole[: cut + 1], changed[: cut + 1])


@pytest.mark.parametrize("scale", [0.6, 2.0])
def test_coverage_returns_after_the_scores_change_their_size_for_good(calibration, scale):
    scores = scale * np.abs(np.random.default_rng(3).standard_normal(4000))
    half_widths, capped = calibration.half_widths(scores)
    after = slice(1000, None)
    coverage = (scores[:, None] <= half_widths)[after].mean(axis=0)
    np.testing.assert_allclose(coverage, [0.50, 0.80, 0.90, 0.95], atol=0.01)
    fixed = (scores[after] <= calibration.quantile(90)).mean()
    assert abs(fixed - 0.90) > 0.08, "the scenario: without a correction coverage is far off"
    assert not capped.any()


def test_it_starts_where_the_scores_of_the_calibration_end():
    calm, wild = np.full(200, 1.0), np.full(60, 3.0)
    rising = Calibration.from_residuals(np.concatenate([calm, wild]), np.ones(260))
    falling = Calibration.from_residuals(np.concatenate([wild, calm]), np.ones(260))
    nothing = np.array([np.nan])
    assert (rising.half_widths(nothing)[0] > falling.half_widths(nothing)[0]).all()


def test_widths_that_always_miss_stop_at_the_cap_and_are_counted(calibration):
    half_widths, capped = calibration.half_widths(np.full(300, np.inf))
    quantiles = [calibration.quantile(level) for level in LEVELS]
    np.testing.assert_allclose(half_widths[-1], CAP * np.array(quantiles))
    assert np.isfinite(half_widths).all()
    assert capped[0] == 0
    assert capped[-1] == len(LEVELS)
    assert (np.diff(capped) >= 0).all()


def test_one_hit_ends_the_holding_at_the_cap(calibration):
    scores = np.concatenate([np.full(300, np.inf), np.zeros(1), [np.nan]])
    assert calibration.half_widths(scores)[1][-2:].tolist() == [len(LEVELS), 0]


def test_widths_that_always_hit_do_not_vanish(calibration):
    half_widths, capped = calibration.half_widths(np.zeros(5000))
    quantiles = [calibration.quantile(level) for level in LEVELS]
    np.testing.assert_allclose(half_widths[-1], np.array(quantiles) / CAP)
    assert not capped.any()


@given(seed=st.integers(0, 30), size=st.floats(0.05, 20))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_intervals_stay_inside_each_other_whatever_happens(seed, size):
    rng = np.random.default_rng(seed)
    calibration = Calibration.from_residuals(rng.standard_normal(40), np.ones(40))
    half_widths, _ = calibration.half_widths(size * np.abs(rng.standard_cauchy(400)))
    assert (np.diff(half_widths, axis=1) >= 0).all()
    assert (half_widths > 0).all()


def test_a_stock_that_often_stands_still_has_an_interval_of_no_width_where_that_is_right():
    calibration = Calibration.from_residuals(np.repeat([0.0, 1.0], 30), np.ones(60))
    half_widths, _ = calibration.half_widths(np.tile([0.0, 1.0], 50))
    assert np.isfinite(half_widths).all()
    assert (half_widths[:, LEVELS.index(80)] > 0).all()


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


def test_scores_without_their_order_in_time_are_refused_with_the_cure():
    pattern = "holds scores, expected scores_in_time_order — train the model again"
    with pytest.raises(ArtifactMismatch, match=pattern):
        Calibration.from_json({"scores": [0.1, 0.2]})


def test_too_few_scores_for_the_highest_level_are_refused_with_both_numbers():
    with pytest.raises(TooFewRows, match=r"^18 out-of-sample predictions .* 95 % interval needs 19"):
        Calibration.from_residuals(np.ones(18), np.ones(18))


def test_a_score_that_is_not_a_number_is_a_mistake_of_the_caller():
    residuals = np.ones(30)
    residuals[3] = np.nan
    with pytest.raises(ValueError, match="must be finite"):
        Calibration.from_residuals(residuals, np.ones(30))
