"""The promotion rule: each condition alone blocks, and says so with its number."""

from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from stock_assets.forecasting.reviews import Verdict, better_p, p_text, review
from tests.forecasting.evidence import Evidence, audited, calibrated, evaluated, walk_forward

GOOD = Evidence()


def verdict(evidence: Evidence = GOOD, absent: int = 0, **changed: Any) -> Verdict:
    """The verdict on model `m`, with `absent` other models in the family."""
    models = {"m": evidence}
    tables = {"evaluation": evaluated(models), "calibration": calibrated(models), "audit": audited(models)} | changed
    versions = tables.pop("versions", {"m": "m-final"})
    family = {"random_walk", "m", *(f"absent_{i}" for i in range(absent))}
    return review(**tables, versions=versions, promotable=family)["m"]


def test_a_model_that_fulfils_every_condition_passes() -> None:
    found = verdict()
    assert found.passed
    assert not found.awaits_audit
    assert (found.n, found.rmse, found.rmse_random_walk, found.p_value, found.family) == (750, 1.98, 2.0, 0.001, 1)


@pytest.mark.parametrize(
    ("evidence", "obstacle"),
    [
        (replace(GOOD, n=499), "499 walk-forward rows are fewer than 500"),
        (replace(GOOD, p=0.05), "Clark-West p = 0.050 is not below 5 %"),
        (replace(GOOD, p=np.nan), "Clark-West p unknown is not below 5 %"),
        (replace(GOOD, rmse=2.0), "RMSE 2 is not below 2"),
        (replace(GOOD, covered=(0.861, 0.83, 0.899)), "its 90 % intervals cover 86.1 % (83.0 to 89.9)"),
    ],
)
def test_each_condition_alone_blocks(evidence: Evidence, obstacle: str) -> None:
    found = verdict(evidence)
    assert found.obstacles == (obstacle,)
    assert not found.passed
    assert not found.awaits_audit


@pytest.mark.parametrize("evidence", [replace(GOOD, n=500), replace(GOOD, p=0.0499), replace(GOOD, rmse=1.9999)])
def test_the_limits_themselves_pass(evidence: Evidence) -> None:
    assert verdict(evidence).passed


@pytest.mark.parametrize("covered", [(0.89, 0.86, 0.90), (0.99, 0.98, 1.0)])
def test_intervals_that_may_be_right_or_are_too_wide_do_not_block(covered: tuple[float, float, float]) -> None:
    assert verdict(replace(GOOD, covered=covered)).passed


def test_unknown_coverage_blocks() -> None:
    found = verdict(calibration=calibrated({}))
    assert found.obstacles == ("the coverage of its 90 % intervals is unknown",)


def test_holdout_rows_are_no_evidence() -> None:
    holdout = evaluated({"m": GOOD}).query("scheme == 'holdout'")
    found = review(holdout, calibrated({}), audited({}), versions={"m": "m-final"}, promotable={"m"})
    assert found == {}


def test_absent_models_count_in_the_family() -> None:
    assert verdict(replace(GOOD, p=0.012), absent=3).p_value == pytest.approx(4 * 0.012)
    found = verdict(replace(GOOD, p=0.012), absent=4)
    assert found.obstacles == ("Clark-West p = 0.060 is not below 5 %",)
    assert found.numbers.startswith("Clark-West p = 0.060 (Holm over 5 models), RMSE 1.98 against 2 on 750")


def test_a_model_without_a_final_fit_does_not_pass() -> None:
    found = verdict(versions={})
    assert "it has no final fit" in found.obstacles
    assert not found.awaits_audit


@pytest.mark.parametrize("subject", ["m", "features", "splits"])
def test_a_proof_that_failed_blocks_whatever_it_was_about(subject: str) -> None:
    audit = audited({"m": GOOD})
    audit["passed"] = audit["subject"] != subject
    name = audit.loc[audit["subject"] == subject, "name"].iloc[0]
    found = verdict(audit=audit)
    assert found.obstacles == (f"its audit failed ({name})",)
    assert not found.awaits_audit


def test_a_failed_audit_of_another_model_does_not_block() -> None:
    audit = audited({"m": GOOD, "other": GOOD})
    assert verdict(audit=audit.assign(passed=audit["subject"] != "other")).passed


@pytest.mark.parametrize("subject", ["m", "features", "splits"])
def test_a_missing_audit_blocks_and_is_awaited(subject: str) -> None:
    audit = audited({"m": GOOD})
    found = verdict(audit=audit[audit["subject"] != subject])
    assert found.obstacles == ("its fit has not been audited",)
    assert found.awaits_audit


def test_proofs_of_an_earlier_fit_are_no_proofs_of_this_one() -> None:
    found = verdict(audit=audited({"m": GOOD}).replace("m-final", "m-earlier"))
    assert found.awaits_audit


def test_evidence_of_another_version_of_the_model_blocks() -> None:
    found = verdict(outdated={"m": "other code"})
    assert found.obstacles == (
        "its backtest is not of the model in use (other code; `stock-assets backtest` makes it again)",
    )
    assert verdict(outdated={"other": "other code"}).passed
    assert not verdict(outdated={"m": "other code"}, audit=audited({})).awaits_audit


def _flagged(passed: bool) -> pd.DataFrame:
    return audited({"m": GOOD}).assign(kind="flag", subject="m", name="skill", passed=passed).tail(1)


def test_a_raised_flag_blocks_until_the_proofs_have_passed() -> None:
    blocked = verdict(audit=_flagged(passed=False))
    assert blocked.obstacles == ("its fit has not been audited, and it is flagged as too good to be believed (skill)",)
    proven = pd.concat([audited({"m": GOOD}), _flagged(passed=False)])
    assert verdict(audit=proven).passed


def test_models_come_by_their_error_and_the_random_walk_is_not_judged() -> None:
    models = {"worse": replace(GOOD, rmse=1.99), "better": replace(GOOD, rmse=1.9), "outsider": GOOD}
    found = review(
        evaluated(models),
        calibrated(models),
        audited(models),
        versions={},
        promotable={"worse", "better", "random_walk"},
    )
    assert list(found) == ["better", "worse"]


def test_two_models_are_compared_on_the_sessions_they_share() -> None:
    """Oracle: at one step ahead the test is a t test of the differences times ((n − 1) / n)^½ (Harvey et al., 1997)."""
    rng = np.random.default_rng(0)
    actual, a, b = 0.02 * rng.standard_normal((3, 60))
    rows = walk_forward({"a": a, "b": b}, actual)
    rows = rows[~((rows["model"] == "a") & (rows["target_session"] == rows["target_session"].min()))]
    difference = ((actual - a) ** 2 - (actual - b) ** 2)[1:]
    expected = stats.ttest_1samp(difference, 0, alternative="greater").pvalue
    assert better_p(rows, challenger="b", incumbent="a") == pytest.approx(expected)
    assert better_p(rows, challenger="a", incumbent="b") == pytest.approx(1 - expected)
    assert np.isnan(better_p(rows, challenger="a", incumbent="nobody"))


@pytest.mark.parametrize(("p_value", "text"), [(0.0123, "= 0.012"), (0.0009, "< 0.001"), (np.nan, "unknown")])
def test_a_p_value_reads_well(p_value: float, text: str) -> None:
    assert p_text(p_value) == text
