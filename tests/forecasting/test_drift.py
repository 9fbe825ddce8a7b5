from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from scipy.stats import wasserstein_distance

from stock_assets.forecasting.drift import CURRENT, METHOD, NEEDED, OF, drifted_sessions, measure_drift, persists
from stock_assets.forecasting.features import FEATURES, compute_features
from storage.contracts import conform
from storage.tables import DRIFT
from tests.synthetic import garch_bars

NOW = datetime(2024, 3, 5, 22, tzinfo=UTC)
NAMES = [feature.name for feature in FEATURES]


@pytest.fixture(scope="module")
def features() -> pd.DataFrame:
    return compute_features(garch_bars("AAPL", 1100, seed=3))


def _louder(features: pd.DataFrame, factor: float, sessions: int) -> pd.DataFrame:
    """The newest sessions with values further from their mean, as in a restless market."""
    louder = features.copy()
    newest = louder.index[-sessions:]
    middle = louder[NAMES].mean()
    louder.loc[newest, NAMES] = middle + factor * (louder.loc[newest, NAMES] - middle)
    return louder


def test_every_feature_is_measured_against_the_sessions_before(features: pd.DataFrame) -> None:
    drift = measure_drift(features, checked_at=NOW)
    conform(DRIFT, drift, {"ticker": "AAPL"})
    assert drift["feature"].tolist() == NAMES
    sessions = features["session"]
    assert (drift["current_end"] == sessions.iloc[-1]).all()
    assert (drift["current_start"] == sessions.iloc[-CURRENT]).all()
    assert (drift["reference_end"] == sessions.iloc[-CURRENT - 1]).all()
    assert (drift["reference_start"] == sessions.iloc[-1040]).all()
    assert (drift["method"] == METHOD).all()


def test_the_statistic_is_the_wasserstein_distance_over_the_spread(features: pd.DataFrame) -> None:
    drift = measure_drift(_louder(features, 2, 40), checked_at=NOW).set_index("feature")
    values = _louder(features, 2, 40)[NAMES].tail(1040)
    reference, current = values.iloc[:-CURRENT], values.iloc[-CURRENT:]
    for name in NAMES:
        expected = wasserstein_distance(reference[name], current[name]) / reference[name].std(ddof=0)
        assert drift.loc[name, "statistic"] == pytest.approx(expected, rel=0.05, abs=0.02)


def test_the_threshold_is_the_largest_distance_of_a_block_inside_the_reference(features: pd.DataFrame) -> None:
    drift = measure_drift(features, checked_at=NOW).set_index("feature")
    reference = features[NAMES].tail(1040).iloc[:-CURRENT]
    for name in ("log_return_1", "volatility_20"):
        values = reference[name].to_numpy()
        blocks = [values[start : start + CURRENT] for start in range(0, len(values) - CURRENT + 1, 10)]
        expected = max(wasserstein_distance(values, block) for block in blocks) / values.std()
        assert drift.loc[name, "threshold"] == pytest.approx(expected, rel=0.05)


def test_a_tripled_spread_of_forty_sessions_drifts_and_a_regime_that_stays_is_forgotten(features: pd.DataFrame) -> None:
    assert drifted_sessions(measure_drift(_louder(features, 3, 40), checked_at=NOW)).tolist() == [True]
    assert drifted_sessions(measure_drift(_louder(features, 3, 160), checked_at=NOW)).tolist() == [False]


def test_many_tickers_in_one_pass_get_what_each_gets_alone() -> None:
    parts = [compute_features(garch_bars(f"T{i}", 1100 if i % 2 else 420, seed=i)) for i in range(5)]
    together = measure_drift(pd.concat(parts).sample(frac=1, random_state=0), checked_at=NOW)
    alone = pd.concat([measure_drift(part, checked_at=NOW) for part in parts])
    order = ["ticker", "feature"]
    pd.testing.assert_frame_equal(
        together.sort_values(order, ignore_index=True), alone.sort_values(order, ignore_index=True)
    )


def test_too_short_a_history_has_no_row_and_a_constant_feature_never_drifts(features: pd.DataFrame) -> None:
    assert measure_drift(features.tail(289), checked_at=NOW).empty
    conform(DRIFT, measure_drift(features.tail(289), checked_at=NOW), {"ticker": "AAPL"})
    still = measure_drift(features.assign(gap=0.0), checked_at=NOW).set_index("feature")
    assert (still.loc["gap", "statistic"], still.loc["gap", "drifted"]) == (0.0, False)


def _history(flags: list[bool]) -> pd.DataFrame:
    sessions = pd.bdate_range("2024-01-01", periods=len(flags))
    return pd.DataFrame(
        {
            "feature": "gap",
            "current_end": sessions,
            "checked_at": sessions.tz_localize("UTC"),
            "drifted": flags,
        }
    )


@pytest.mark.parametrize(
    ("flags", "expected"),
    [
        ([True] * NEEDED, True),
        ([True] * (NEEDED - 1), False),
        ([True] * NEEDED + [False] * (OF - NEEDED), True),
        ([True] * NEEDED + [False] * (OF - NEEDED + 1), False),
        ([], False),
    ],
)
def test_drift_persists_when_most_of_the_newest_sessions_had_it(flags: list[bool], expected: bool) -> None:
    assert persists(drifted_sessions(_history(flags))) is expected


def test_a_session_checked_twice_counts_once_by_its_newest_check() -> None:
    history = _history([True] * NEEDED)
    corrected = history.assign(drifted=False, checked_at=history["checked_at"] + pd.Timedelta(hours=1))
    assert not persists(drifted_sessions(pd.concat([history, corrected])))
    assert len(drifted_sessions(pd.concat([history, corrected]))) == NEEDED


def test_a_quarter_of_the_features_is_enough() -> None:
    one_check = measure_drift(compute_features(garch_bars("A", 500, seed=1)), checked_at=NOW)
    few = one_check.assign(drifted=np.arange(len(NAMES)) < 3)
    enough = one_check.assign(drifted=np.arange(len(NAMES)) < 4)
    assert drifted_sessions(few).tolist() == [False]
    assert drifted_sessions(enough).tolist() == [True]
