"""Which sessions each fold of the walk-forward backtest learns from and predicts."""

import numpy as np
import pandas as pd
import pytest

from stock_assets.forecasting.errors import InvalidPlan, TooFewRows
from stock_assets.forecasting.folds import Fold, Plan, as_splits, plan_folds
from stock_assets.forecasting.models import discover
from stock_assets.forecasting.splits import MIN_TRAIN, check_splits

PLAN = Plan(first_train=400, step=70)
PLANS = [
    PLAN,
    Plan("rolling", first_train=400, step=70),
    Plan(first_train=400, step=70, refit_every=3),
    Plan("rolling", first_train=361, step=12, refit_every=10),
    Plan(first_train=637, step=5),
]

each_plan = pytest.mark.parametrize("plan", PLANS, ids=lambda p: f"{p.window}-{p.first_train}-{p.step}-{p.refit_every}")


def labels_used(fold, features):
    """Sessions in which the labels of the training rows end: all the fit knows of the future of its last row."""
    return features.set_index("session")["target_session"].reindex(fold.train)


@each_plan
def test_no_label_of_a_test_row_or_later_is_ever_learned_from(plan, garch_features):
    for fold in plan_folds(garch_features, plan):
        assert labels_used(fold, garch_features).max() < fold.test[0]
        assert fold.train.max() < fold.test.min()


@each_plan
def test_every_session_after_the_first_training_window_and_its_purge_is_tested_once(plan, garch_features):
    labelled = garch_features["session"][garch_features["target_log_return"].notna()]
    tested = np.concatenate([fold.test for fold in plan_folds(garch_features, plan)])
    np.testing.assert_array_equal(tested, labelled.iloc[plan.first_train + 1 :])


@each_plan
def test_folds_keep_the_rules_of_splits(plan, garch_features):
    folds = plan_folds(garch_features, plan)
    splits = as_splits(folds, garch_features)
    assert check_splits(splits, garch_features) == []
    assert set(splits["role"]) == {"train", "purged", "test"}
    assert splits["fold"].unique().tolist() == [fold.name for fold in folds]


def test_a_window_expands_from_the_first_label_or_rolls_at_its_first_length(garch_features):
    first = garch_features["session"].iloc[0]
    expanding, rolling = (plan_folds(garch_features, Plan(window, 400, 70)) for window in ("expanding", "rolling"))
    assert [len(fold.train) for fold in expanding] == [400, 470, 540, 610]
    assert {fold.train[0] for fold in expanding} == {first}
    assert {len(fold.train) for fold in rolling} == {400}
    assert [fold.train[-1] for fold in rolling] == [fold.train[-1] for fold in expanding]


def test_the_cadence_of_refits_changes_fits_and_no_test_session(garch_features):
    often = plan_folds(garch_features, PLAN)
    rarely = plan_folds(garch_features, Plan(first_train=400, step=70, refit_every=3))
    assert [fold.refitted for fold in often] == [True] * 4
    assert [fold.refitted for fold in rarely] == [True, False, False, True]
    for one, other in zip(often, rarely, strict=True):
        pd.testing.assert_index_equal(one.test, other.test)
    assert [len(fold.train) for fold in rarely] == [400, 400, 400, 610]


@pytest.mark.parametrize("more", [1, 20, 100])
def test_later_sessions_only_lengthen_the_last_fold_or_add_folds(more, garch_features):
    now = plan_folds(garch_features, PLAN)
    earlier = plan_folds(garch_features.iloc[:-more].assign(target_log_return=_unlabelled_at_the_end), PLAN)
    assert len(earlier) <= len(now)
    for before, after in zip(earlier[:-1], now, strict=False):
        pd.testing.assert_index_equal(before.test, after.test)
    for before, after in zip(earlier, now, strict=False):
        pd.testing.assert_index_equal(before.train, after.train)
        pd.testing.assert_index_equal(before.test, after.test[: len(before.test)])


def _unlabelled_at_the_end(features):
    return features["target_log_return"].where(features.index < features.index[-1])


def test_five_years_leave_750_rows_and_two_fits_of_a_network():
    days = pd.bdate_range("2008-01-01", periods=1196)
    ends = pd.Series(days).shift(-1)
    label = np.append(np.zeros(1195), np.nan)
    features = pd.DataFrame({"session": days, "target_session": ends, "target_log_return": label})
    for name, fits in (("xgboost", 7), ("sarima", 7), ("lstm_keras", 2), ("lstm_pytorch", 2)):
        folds = plan_folds(features, Plan(refit_every=discover()[name].backtest_refit_every))
        assert sum(len(fold.test) for fold in folds) >= 750
        assert sum(fold.refitted for fold in folds) == fits


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"window": "sliding"}, "window is 'sliding', expected expanding or rolling"),
        ({"first_train": 360}, f"first_train is 360, expected at least {MIN_TRAIN}"),
        ({"step": 0}, "step is 0, expected at least 1"),
        ({"refit_every": -1}, "refit_every is -1, expected at least 1"),
    ],
)
def test_a_plan_that_cannot_be_is_refused(values, message):
    with pytest.raises(InvalidPlan, match=message):
        Plan(**values)


def test_too_short_a_history_is_refused_with_both_numbers(garch_features):
    with pytest.raises(TooFewRows, match=r"first learns from 638 sessions needs at least 640 .* there are 639"):
        plan_folds(garch_features, Plan(first_train=638))
    assert len(plan_folds(garch_features, Plan(first_train=637))[0].test) == 1


def test_a_shuffled_fold_is_found_by_name(garch_features):
    folds = plan_folds(garch_features, PLAN)
    mixed = folds[0].train.union(folds[0].test)
    rng = np.random.default_rng(1)
    chosen = np.sort(rng.choice(len(mixed), len(folds[0].test), replace=False))
    shuffled = Fold(0, PLAN, True, mixed.delete(chosen), mixed[chosen])
    found = {finding.name for finding in check_splits(as_splits([shuffled], garch_features), garch_features)}
    assert found == {"splits_ordered", "splits_purged"}
