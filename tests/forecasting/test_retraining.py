from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from stock_assets.forecasting.retraining import COOL_DOWN, LIVE_ROWS, Known, decide_retraining, is_news, upper_band
from storage.contracts import conform
from storage.tables import RETRAINING

NOW = datetime(2024, 3, 5, 22, tzinfo=UTC)
SESSIONS = pd.bdate_range(end="2024-03-05", periods=300)
NONE_DECIDED = pd.DataFrame(
    {
        "decided_at": pd.Series(dtype="datetime64[ns, UTC]"),
        "session": pd.Series(dtype="datetime64[ns]"),
        "action": pd.Series(dtype=object),
        "cause": pd.Series(dtype=object),
    }
)


def _drift(flags: list[bool]) -> pd.DataFrame:
    sessions = SESSIONS[-len(flags) :]
    return pd.DataFrame(
        {
            "feature": "gap",
            "current_end": sessions,
            "checked_at": sessions.tz_localize("UTC"),
            "drifted": flags,
        }
    )


@pytest.fixture
def calm() -> Known:
    errors = np.random.default_rng(1).chisquare(1, 600)
    return Known(
        ticker="AAPL",
        sessions=SESSIONS,
        drift=_drift([False] * 20),
        live_errors=errors[:60],
        reference_errors=errors,
        trained_through=SESSIONS[-4].date(),
        decisions=NONE_DECIDED,
        every=timedelta(days=7),
    )


def _decided(sessions_ago: int, cause: str = "drift", action: str = "retrain") -> pd.DataFrame:
    session = SESSIONS[-1 - sessions_ago]
    return pd.DataFrame(
        {"decided_at": [session.tz_localize("UTC")], "session": [session], "action": [action], "cause": [cause]}
    )


def _said(known: Known) -> tuple[str, str]:
    row = decide_retraining(known, decided_at=NOW).iloc[0]
    return row["action"], row["cause"]


def test_without_a_cause_models_are_kept(calm: Known) -> None:
    decision = decide_retraining(calm, decided_at=NOW)
    conform(RETRAINING, decision)
    row = decision.iloc[0]
    assert (row["action"], row["cause"]) == ("keep", "none")
    assert row["reason"] == (
        "The inputs had drifted in 0 of the newest 10 sessions checked, and live errors are within their band."
    )


def test_drift_that_persists_retrains_and_drift_that_does_not_waits_for_more(calm: Known) -> None:
    assert _said(replace(calm, drift=_drift([False] * 12 + [True] * 8))) == ("retrain", "drift")
    assert _said(replace(calm, drift=_drift([False] * 13 + [True] * 7))) == ("keep", "none")


def test_live_errors_outside_their_band_retrain(calm: Known) -> None:
    larger = replace(calm, live_errors=3 * np.ones(LIVE_ROWS))
    decision = decide_retraining(larger, decided_at=NOW).iloc[0]
    assert (decision["action"], decision["cause"]) == ("retrain", "live_error")
    assert "average 3.00 forecast variances" in decision["reason"]
    assert "by chance once in 1000 times" in decision["reason"]


def test_too_few_live_or_reference_errors_say_nothing(calm: Known) -> None:
    assert _said(replace(calm, live_errors=np.full(LIVE_ROWS - 1, 9.0))) == ("keep", "none")
    assert _said(replace(calm, live_errors=np.full(LIVE_ROWS, 9.0), reference_errors=np.ones(50))) == ("keep", "none")


def test_age_retrains_unless_that_is_switched_off(calm: Known) -> None:
    old = replace(calm, trained_through=SESSIONS[-7].date())
    assert _said(old) == ("retrain", "age")
    assert _said(replace(old, every=None)) == ("keep", "none")


@pytest.mark.parametrize(("ago", "action"), [(0, "wait"), (COOL_DOWN - 1, "wait"), (COOL_DOWN, "retrain")])
def test_after_a_retraining_for_a_cause_both_causes_are_silent_for_the_cool_down(
    calm: Known, ago: int, action: str
) -> None:
    drifted = replace(calm, drift=_drift([True] * 20), decisions=_decided(ago))
    assert _said(drifted) == (action, "drift")


def test_a_retraining_for_age_starts_no_cool_down_and_is_stopped_by_none(calm: Known) -> None:
    drifted = _drift([True] * 20)
    assert _said(replace(calm, drift=drifted, decisions=_decided(2, cause="age"))) == ("retrain", "drift")
    old = replace(calm, trained_through=SESSIONS[-7].date(), decisions=_decided(2))
    assert _said(old) == ("retrain", "age")


def test_the_band_is_rarely_passed_by_errors_like_the_reference() -> None:
    rng = np.random.default_rng(7)
    band = upper_band(rng.chisquare(1, 800))
    means = rng.chisquare(1, (20_000, LIVE_ROWS)).mean(axis=1)
    assert 0 < (means > band).mean() < 0.01


def test_only_what_differs_is_written_down_and_every_retraining(calm: Known) -> None:
    keep = decide_retraining(calm, decided_at=NOW)
    assert is_news(keep, NONE_DECIDED)
    assert not is_news(keep, _decided(1, cause="none", action="keep"))
    assert is_news(keep, _decided(1))
    again = decide_retraining(replace(calm, trained_through=SESSIONS[-9].date()), decided_at=NOW)
    assert is_news(again, _decided(1, cause="age"))
