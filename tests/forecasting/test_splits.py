"""Splits: disjoint, ordered, purged, complete; and the check that says so can fail."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stock_assets.forecasting.errors import TooFewRows
from stock_assets.forecasting.features import WARM_UP, compute_features
from stock_assets.forecasting.models import Forecaster, discover
from stock_assets.forecasting.splits import MIN_TRAIN, check_splits, holdout_splits, roles
from stock_assets.forecasting.training import inner_folds
from storage.tables import SPLITS
from tests.synthetic import random_walk_bars


def features_like(n_labelled: int, n_live: int = 1) -> pd.DataFrame:
    """The columns of table `features` that splits read."""
    sessions = pd.bdate_range("2015-01-05", periods=n_labelled + n_live + 1)
    label = [0.01] * n_labelled + [float("nan")] * n_live
    return pd.DataFrame(
        {"ticker": "T", "session": sessions[:-1], "target_session": sessions[1:], "target_log_return": label}
    ).assign(target_session=lambda df: df["target_session"].where(df["target_log_return"].notna()))


FEATURES = features_like(1000)
SOUND = holdout_splits(FEATURES)


def names(splits: pd.DataFrame, features: pd.DataFrame = FEATURES) -> set[str]:
    return {finding.name for finding in check_splits(splits, features)}


@given(n=st.integers(453, 3000), n_live=st.integers(0, 3))
@settings(max_examples=40, deadline=None, derandomize=True)
def test_splits_of_any_length_are_disjoint_ordered_purged_and_complete(n: int, n_live: int) -> None:
    features = features_like(n, n_live)
    splits = holdout_splits(features)
    assert splits["session"].tolist() == features["session"].tolist()
    runs = splits["role"][splits["role"] != splits["role"].shift()].tolist()
    assert runs == ["train", "purged", "validation", "purged", "test", "live"][: 5 + (n_live > 0)]
    first, last = (splits.groupby("role")["session"].agg(name) for name in ("min", "max"))
    label_end = features.set_index("session")["target_session"]
    assert label_end[last["train"]] < first["validation"]
    assert label_end[last["validation"]] < first["test"]
    counts = splits["role"].value_counts()
    assert counts["purged"] == 2
    assert counts["train"] + 1 == int(n * 0.8)
    assert abs(counts["validation"] + 1 - counts["test"]) <= 1
    assert check_splits(splits, features) == []


def test_the_frame_has_the_columns_of_the_contract() -> None:
    assert tuple(SOUND.columns) == SPLITS.column_names
    assert set(SOUND["fold"]) == {"holdout"}


def test_the_newest_session_has_no_label_and_is_live() -> None:
    features = compute_features(random_walk_bars("T", 514, seed=1))
    splits = holdout_splits(features.sample(frac=1, random_state=0))
    assert splits["role"].tolist().count("live") == 1
    assert splits["role"].iloc[-1] == "live"


def test_a_ticker_that_is_too_short_is_named_with_both_numbers() -> None:
    """196 sessions, like the bundled FB."""
    features = compute_features(random_walk_bars("FB", 196, seed=1))
    with pytest.raises(
        TooFewRows, match=f"FB has 135 sessions .* leaves 107 to learn from; expected at least {MIN_TRAIN}"
    ):
        holdout_splits(features)


def test_the_shortest_ticker_that_works_leaves_exactly_the_minimum() -> None:
    assert holdout_splits(features_like(453))["role"].tolist().count("train") == MIN_TRAIN == 361
    with pytest.raises(TooFewRows, match="leaves 360 to learn from; expected at least 361"):
        holdout_splits(features_like(452))


@pytest.mark.parametrize("model", discover().values(), ids=list(discover()))
def test_every_model_can_be_calibrated_on_the_shortest_training_rows(model: type[Forecaster]) -> None:
    folds = inner_folds(np.arange(WARM_UP, WARM_UP + MIN_TRAIN), model())
    assert len(folds) == model.calibration_folds
    assert folds[0][0][-1] + 1 >= model.min_rows


def test_no_features_at_all_is_too_few() -> None:
    with pytest.raises(TooFewRows, match="leaves 0 to learn from"):
        holdout_splits(features_like(0, 0))


def test_roles_are_by_session_of_one_fold() -> None:
    other = SOUND.assign(fold="wf_00", role="train")
    role = roles(pd.concat([other, SOUND.sample(frac=1, random_state=1)]))
    assert role.index.is_monotonic_increasing
    assert role.value_counts().to_dict() == SOUND["role"].value_counts().to_dict()


def test_a_session_with_two_roles_is_found() -> None:
    assert "splits_disjoint" in names(pd.concat([SOUND, SOUND.iloc[[100]].assign(role="test")]))


def test_roles_out_of_order_are_found() -> None:
    shuffled = SOUND.assign(role=SOUND["role"].where(SOUND.index != 900, "train"))
    assert "splits_ordered" in names(shuffled)


def test_a_boundary_without_a_purge_is_found() -> None:
    unpurged = SOUND.assign(role=SOUND["role"].where(SOUND.index != 799, "train"))
    (finding,) = check_splits(unpurged, FEATURES)
    assert finding.name == "splits_purged"
    assert finding.sessions == (SOUND["session"][799].date(),)


def test_a_gap_is_found() -> None:
    assert names(SOUND.drop(index=400)) == {"splits_complete"}


def test_a_scored_role_without_a_label_is_found() -> None:
    assert names(SOUND.assign(role=SOUND["role"].replace("live", "test"))) == {"splits_complete"}


def test_splits_stay_sound_when_later_sessions_arrive() -> None:
    """Boundaries are frozen: new days bring labels to what was live, and sessions after the last."""
    assert check_splits(SOUND, features_like(1005)) == []
