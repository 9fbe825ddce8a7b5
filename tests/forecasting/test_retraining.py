from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import numpy as np
import pytest
from numpy.typing import NDArray

from stock_assets.forecasting.retraining import (
    COOL_DOWN,
    LIVE_ROWS,
    Known,
    as_rows,
    decide_retraining,
    is_news,
    upper_band,
)
from storage.contracts import conform
from storage.tables import RETRAINING

NOW = datetime(2024, 3, 5, 22, tzinfo=UTC)
NEWEST = date(2024, 3, 5)


def _ago(days: int) -> date:
    return NEWEST - timedelta(days=days)


@pytest.fixture
def calm() -> Known:
    errors = np.random.default_rng(1).chisquare(1, 600)
    return Known(
        ticker="AAPL",
        session=NEWEST,
        drifted=np.zeros(20, dtype=bool),
        live_errors=errors[:60],
        reference_errors=errors,
        trained_through=_ago(6),
        since_cause=None,
        latest=None,
        every=timedelta(days=7),
    )


def _flags(*flags: bool) -> NDArray[np.bool_]:
    return np.array(flags)


def _said(known: Known) -> tuple[str, str]:
    decision = decide_retraining(known, decided_at=NOW)
    return decision.action, decision.cause


def test_without_a_cause_models_are_kept(calm: Known) -> None:
    decision = decide_retraining(calm, decided_at=NOW)
    conform(RETRAINING, as_rows([decision]))
    assert as_rows([]).dtypes.equals(as_rows([decision]).dtypes)
    assert (decision.action, decision.cause) == ("keep", "none")
    assert decision.reason == (
        "The inputs had drifted in 0 of the newest 10 sessions checked, and live errors are within their band."
    )


def test_drift_that_persists_retrains_and_drift_that_does_not_waits_for_more(calm: Known) -> None:
    assert _said(replace(calm, drifted=_flags(*[False] * 12, *[True] * 8))) == ("retrain", "drift")
    assert _said(replace(calm, drifted=_flags(*[False] * 13, *[True] * 7))) == ("keep", "none")


def test_live_errors_outside_their_band_retrain(calm: Known) -> None:
    larger = replace(calm, live_errors=3 * np.ones(LIVE_ROWS))
    decision = decide_retraining(larger, decided_at=NOW)
    assert (decision.action, decision.cause) == ("retrain", "live_error")
    assert "average 3.00 forecast variances" in decision.reason
    assert "by chance once in 1000 times" in decision.reason


def test_too_few_live_or_reference_errors_say_nothing(calm: Known) -> None:
    assert _said(replace(calm, live_errors=np.full(LIVE_ROWS - 1, 9.0))) == ("keep", "none")
    assert _said(replace(calm, live_errors=np.full(LIVE_ROWS, 9.0), reference_errors=np.ones(50))) == ("keep", "none")


def test_age_retrains_unless_that_is_switched_off(calm: Known) -> None:
    old = replace(calm, trained_through=_ago(8))
    assert _said(old) == ("retrain", "age")
    assert _said(replace(old, every=None)) == ("keep", "none")


@pytest.mark.parametrize(("ago", "action"), [(0, "wait"), (COOL_DOWN - 1, "wait"), (COOL_DOWN, "retrain")])
def test_after_a_retraining_for_a_cause_both_causes_are_silent_for_the_cool_down(
    calm: Known, ago: int, action: str
) -> None:
    drifted = replace(calm, drifted=_flags(*[True] * 20), since_cause=ago)
    assert _said(drifted) == (action, "drift")


def test_a_retraining_for_age_is_stopped_by_no_cool_down(calm: Known) -> None:
    assert _said(replace(calm, trained_through=_ago(8), since_cause=2)) == ("retrain", "age")


def test_the_band_is_rarely_passed_by_errors_like_the_reference() -> None:
    rng = np.random.default_rng(7)
    band = upper_band(rng.chisquare(1, 800))
    means = rng.chisquare(1, (20_000, LIVE_ROWS)).mean(axis=1)
    assert 0 < (means > band).mean() < 0.01


@pytest.mark.parametrize("seed", range(5))
def test_the_band_is_drawn_in_full_only_where_a_few_draws_do_not_rule_it_out(calm: Known, seed: int) -> None:
    rng = np.random.default_rng(seed)
    reference = rng.chisquare(1, 400)
    band = upper_band(reference)
    for live in (*rng.uniform(0.5, 1.2, 20) * band, band):
        known = replace(calm, reference_errors=reference, live_errors=np.full(LIVE_ROWS, live))
        assert (_said(known)[1] == "live_error") == (np.mean(known.live_errors) > band)


def test_only_what_differs_is_written_down_and_every_retraining(calm: Known) -> None:
    keep = decide_retraining(calm, decided_at=NOW)
    assert is_news(keep, None)
    assert not is_news(keep, ("keep", "none"))
    assert is_news(keep, ("retrain", "drift"))
    again = decide_retraining(replace(calm, trained_through=_ago(10)), decided_at=NOW)
    assert is_news(again, ("retrain", "age"))
