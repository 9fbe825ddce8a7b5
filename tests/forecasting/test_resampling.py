"""Shared resamples: against `arch`, which draws the same ones, and in worlds where the truth is known."""

import math

import numpy as np
import pytest
from arch.bootstrap import MCS, StationaryBootstrap, optimal_block_length

from stock_assets.forecasting.metrics import rmse
from stock_assets.forecasting.resampling import (
    block_length,
    confidence_set,
    draw_shares,
    resampling_version,
    skill_interval,
)

RNG = np.random.default_rng(5)
N = 250
ACTUAL = RNG.standard_normal(N)
ERRORS = {"naive": ACTUAL, "good": ACTUAL - 0.3 * ACTUAL, "noise": ACTUAL - 0.3 * RNG.standard_normal(N)}
LOSSES = np.column_stack([errors**2 for errors in ERRORS.values()])


def test_resampled_means_are_those_of_arch_with_the_same_seed() -> None:
    draws = StationaryBootstrap(4, LOSSES, seed=3).bootstrap(50)
    expected = np.array([positional[0].mean(axis=0) for positional, _ in draws])
    assert draw_shares(N, 4, replications=50, seed=3) @ LOSSES == pytest.approx(expected, rel=1e-12)


def test_the_same_rows_are_drawn_for_everybody_and_cannot_be_changed() -> None:
    shares = draw_shares(N, 4)
    assert shares is draw_shares(N, 4)
    assert shares.sum(axis=1) == pytest.approx(np.ones(1000))
    with pytest.raises(ValueError, match="read-only"):
        shares[0, 0] = 1.0


def test_the_interval_of_skill_agrees_with_arch() -> None:
    bootstrap = StationaryBootstrap(4, ERRORS["good"], ACTUAL, seed=0)
    zero = np.zeros(N)
    ends = bootstrap.conf_int(
        lambda error, naive: 1 - rmse(zero, error) / rmse(zero, naive), reps=1000, method="percentile"
    )
    found = skill_interval(draw_shares(N, 4), ERRORS["good"] ** 2, ACTUAL**2)
    assert found == pytest.approx(tuple(ends.ravel()), rel=1e-9)


def test_the_random_walk_and_a_perfect_one_have_no_interval() -> None:
    shares = draw_shares(N, 4)
    assert all(math.isnan(end) for end in skill_interval(shares, ACTUAL**2, ACTUAL**2))
    assert all(math.isnan(end) for end in skill_interval(shares, ACTUAL**2, np.zeros(N)))


def test_the_interval_covers_the_true_skill_as_often_as_it_says() -> None:
    """Nominal 95 % for a model that knows the conditional mean; 400 worlds have a standard error of one point."""
    rng, true = np.random.default_rng(2), 1 - math.sqrt(1 - 0.1)
    inside = 0
    for _ in range(400):
        known, noise = math.sqrt(0.1) * rng.standard_normal(N), math.sqrt(0.9) * rng.standard_normal(N)
        lower, upper = skill_interval(draw_shares(N, 1), noise**2, (known + noise) ** 2)
        inside += lower <= true <= upper
    assert 0.91 < inside / 400 < 0.98


@pytest.mark.parametrize("seed", [0, 1])
def test_the_confidence_set_is_that_of_arch(seed: int) -> None:
    rng = np.random.default_rng(seed)
    losses = (ACTUAL[:, None] - np.linspace(0, 0.4, 6) * rng.standard_normal((N, 6)) - 0.1 * ACTUAL[:, None]) ** 2
    oracle = MCS(losses, 0.1, reps=1000, block_size=8, method="R", bootstrap="stationary", seed=0)
    oracle.compute()
    expected = oracle.pvalues["Pvalue"].sort_index()
    assert confidence_set(draw_shares(N, 8), losses) == pytest.approx(expected.to_numpy(), abs=1e-12)


def test_models_that_say_the_same_share_a_p_value() -> None:
    twice = confidence_set(draw_shares(N, 2), LOSSES[:, [0, 0, 1, 2]])
    assert twice[0] == twice[1]
    assert twice[[0, 2, 3]].tolist() == confidence_set(draw_shares(N, 2), LOSSES).tolist()
    assert confidence_set(draw_shares(N, 2), LOSSES[:, [0, 0]]).tolist() == [1, 1]


def test_the_best_model_is_in_the_set_and_a_hopeless_one_is_not() -> None:
    naive, good, noise = confidence_set(draw_shares(N, 2), LOSSES)
    assert good == 1
    assert max(naive, noise) < 0.05


def test_the_block_length_is_the_longest_politis_and_white_ask_for_as_a_power_of_two() -> None:
    slow = np.convolve(RNG.standard_normal(N + 9), np.ones(10), mode="valid")
    both = np.column_stack([RNG.standard_normal(N), slow])
    asked = optimal_block_length(both)["stationary"].max()
    assert asked > 4
    assert block_length(both) == 2 ** math.ceil(math.log2(asked))
    assert block_length(1e-9 * both) == block_length(both)


def test_where_nothing_varies_or_depends_a_block_is_one_row() -> None:
    assert block_length(np.zeros((N, 2))) == 1
    alternating = np.tile([1.0, -1.0], N // 2)[:, None] + 0.1 * RNG.standard_normal((N, 1))
    assert block_length(np.random.default_rng(0).standard_normal((N, 1))) >= 1
    assert block_length(alternating) >= 1


def test_figures_made_by_other_formulas_are_told_apart() -> None:
    assert len(resampling_version()) == 64
