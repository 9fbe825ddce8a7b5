"""Who is champion: promotion, replacement, patience, and one review a month. The rule itself is in test_reviews.py."""

from datetime import UTC, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from stock_assets.forecasting.champion import decide, is_news
from stock_assets.forecasting.errors import NotTrained
from storage.contracts import conform
from storage.tables import CHAMPION
from tests.forecasting.evidence import Evidence, audited, calibrated, evaluated, walk_forward

NOW = datetime(2026, 1, 5, 22, tzinfo=UTC)
NOTHING = pd.DataFrame(columns=list(CHAMPION.column_names))
GOOD = Evidence(p=0.001, rmse=1.98)
BETTER = Evidence(p=0.002, rmse=1.97)
NOISE = Evidence(p=0.4, rmse=2.01)


def decision(
    history: pd.DataFrame = NOTHING,
    *,
    month: str = "2026-01",
    audit: pd.DataFrame | None = None,
    predictions: pd.DataFrame | None = None,
    promotable: set[str] | None = None,
    versions: dict[str, str] | None = None,
    outdated: dict[str, str] | None = None,
    days: int = 0,
    **models: Evidence,
) -> pd.DataFrame:
    """One decision on evidence whose newest session lies in `month`."""
    names = {"random_walk", *models}
    return decide(
        evaluated(models, last_session=f"{month}-15"),
        calibrated(models),
        audited(models) if audit is None else audit,
        history,
        predictions=walk_forward({}) if predictions is None else predictions,
        ticker="T",
        versions={name: f"{name}-final" for name in names} if versions is None else versions,
        promotable=names if promotable is None else promotable,
        decided_at=NOW + timedelta(days=days),
        outdated=outdated,
    )


def then(history: pd.DataFrame, **more: object) -> pd.DataFrame:
    """`history` with the next decision appended, if it is news."""
    row = decision(history, days=len(history), **more)  # type: ignore[arg-type]
    return pd.DataFrame([*history.to_dict("records"), *row.to_dict("records")]) if is_news(row, history) else history


def test_the_row_fits_the_contract() -> None:
    for row in (decision(), decision(noise=NOISE), decision(good=GOOD)):
        assert tuple(row.columns) == CHAMPION.column_names
        assert conform(CHAMPION, row).num_rows == 1


def test_without_walk_forward_evidence_the_random_walk_stays_and_the_cure_is_said() -> None:
    row = decision().iloc[0]
    assert (row["model"], row["promoted"], row["n"], row["review"]) == ("random_walk", False, 0, None)
    assert row["model_version"] == "random_walk-final"
    assert "no walk-forward evidence" in row["reason"]
    assert "`stock-assets backtest`" in row["reason"]


def test_the_random_walk_stays_when_nothing_is_proven() -> None:
    row = decision(noise=NOISE).iloc[0]
    assert (row["model"], row["promoted"], row["n"], row["review"]) == ("random_walk", False, 750, "2026-01")
    assert row["p_value"] == pytest.approx(0.4)
    assert row["reason"] == (
        "The random walk stays: the best candidate, noise, does not pass (Clark-West p = 0.400 is not below 5 %; "
        "RMSE 2.01 is not below 2). Its evidence: Clark-West p = 0.400 (Holm over 1 model), RMSE 2.01 against 2 on "
        "750 walk-forward rows. Review of 2026-01."
    )


def test_a_proven_model_is_promoted_and_the_reason_holds_the_numbers() -> None:
    row = decision(good=GOOD, noise=NOISE).iloc[0]
    assert (row["model"], row["promoted"], row["model_version"]) == ("good", True, "good-final")
    assert (row["review"], row["rule_holds"], row["failed_reviews"], row["n"]) == ("2026-01", True, 0, 750)
    assert row["p_value"] == pytest.approx(0.002)
    assert row["reason"] == (
        "good beats the random walk: Clark-West p = 0.002 (Holm over 2 models), RMSE 1.98 against 2 on 750 "
        "walk-forward rows; its intervals are honest and its audit is clean. Review of 2026-01."
    )


def test_among_several_the_lowest_error_wins() -> None:
    assert decision(good=GOOD, better=BETTER).iloc[0]["model"] == "better"


def test_the_reference_formulation_is_never_promoted() -> None:
    row = decision(good=GOOD, promotable={"random_walk"}).iloc[0]
    assert (row["model"], row["review"]) == ("random_walk", None)


def test_one_decision_a_month_whatever_new_evidence_says() -> None:
    first = then(NOTHING, noise=NOISE)
    assert len(then(first, good=GOOD)) == 1
    assert then(first, good=GOOD, month="2026-02")["model"].tolist() == ["random_walk", "good"]


def test_evidence_older_than_the_last_review_is_not_reviewed_again() -> None:
    assert len(then(then(NOTHING, noise=NOISE), good=GOOD, month="2025-12")) == 1


def test_between_reviews_only_a_new_fit_of_the_champion_is_news() -> None:
    promoted = then(NOTHING, good=GOOD)
    same = decision(promoted, good=NOISE)
    assert not is_news(same, promoted)
    refitted = then(promoted, good=NOISE, versions={"random_walk": "1", "good": "new"})
    assert refitted["model_version"].tolist() == ["good-final", "new"]
    kept = ["model", "reason", "p_value", "n", "review", "rule_holds", "failed_reviews"]
    assert refitted[kept].iloc[0].to_dict() == refitted[kept].iloc[1].to_dict()


def test_a_champion_stays_between_reviews_even_if_its_evidence_is_gone() -> None:
    promoted = then(NOTHING, good=GOOD)
    row = decision(promoted, versions={"random_walk": "1", "good": "good-final"}, promotable={"good"}).iloc[0]
    assert row["model"] == "good"


def test_a_champion_may_fail_one_review_and_not_two() -> None:
    history = then(NOTHING, good=GOOD)
    history = then(history, good=NOISE, month="2026-02")
    last = history.iloc[-1]
    assert (last["model"], last["promoted"], last["rule_holds"], last["failed_reviews"]) == ("good", True, False, 1)
    assert "stays for now, though it fails the rule" in last["reason"]
    history = then(history, good=NOISE, month="2026-03")
    last = history.iloc[-1]
    assert (last["model"], last["promoted"], last["failed_reviews"]) == ("random_walk", False, 0)
    assert last["reason"].startswith("Back to the random walk: good failed 2 reviews in a row (Clark-West p = 0.400")


def test_a_champion_that_passes_again_starts_counting_anew() -> None:
    history = then(NOTHING, good=GOOD)
    for month, evidence in (("2026-02", NOISE), ("2026-03", GOOD), ("2026-04", NOISE)):
        history = then(history, good=evidence, month=month)
    assert history["failed_reviews"].tolist() == [0, 1, 0, 1]
    assert history["model"].unique().tolist() == ["good"]


def test_a_champion_without_rows_fails_its_review() -> None:
    history = then(NOTHING, good=GOOD)
    everyone = {"versions": {"random_walk": "1", "good": "good-final", "noise": "1"}, "promotable": {"good", "noise"}}
    history = then(history, noise=NOISE, month="2026-02", **everyone)
    assert history.iloc[-1][["model", "failed_reviews", "rule_holds"]].tolist() == ["good", 1, False]
    assert "no walk-forward rows" in history.iloc[-1]["reason"]
    history = then(history, noise=NOISE, month="2026-03", **everyone)
    assert history.iloc[-1]["model"] == "random_walk"
    assert np.isnan(history.iloc[-1]["p_value"])


def test_when_a_champion_has_failed_twice_a_model_that_passes_takes_over() -> None:
    history = then(NOTHING, good=GOOD, noise=NOISE)
    for month in ("2026-02", "2026-03"):
        history = then(history, good=NOISE, noise=BETTER, month=month)
    assert history["model"].tolist() == ["good", "good", "noise"]
    assert history.iloc[-1]["reason"].startswith("noise takes over, since good failed 2 reviews in a row")


def _two(share: float) -> pd.DataFrame:
    """Walk-forward rows in which `better` knows `share` of what happens, and `good` nothing."""
    rng = np.random.default_rng(4)
    actual = 0.02 * rng.standard_normal(750)
    noise = 0.002 * rng.standard_normal((2, 750))
    return walk_forward({"good": noise[0], "better": share * actual + noise[1]}, actual)


def test_a_challenger_replaces_a_champion_only_if_diebold_mariano_says_so() -> None:
    history = then(NOTHING, good=GOOD, better=NOISE)
    models = {"good": GOOD, "better": BETTER}
    stays = then(history, month="2026-02", predictions=_two(0.0), **models).iloc[-1]
    assert (stays["model"], stays["rule_holds"]) == ("good", True)
    assert "better passes, too, but Diebold-Mariano p = " in stays["reason"]
    goes = then(history, month="2026-02", predictions=_two(0.3), **models).iloc[-1]
    assert (goes["model"], goes["model_version"]) == ("better", "better-final")
    assert goes["reason"].startswith("better replaces good: Diebold-Mariano p < 0.001 between the two")


def test_a_challenger_with_a_higher_error_is_not_even_compared() -> None:
    history = then(NOTHING, better=BETTER, good=NOISE)
    stays = then(history, month="2026-02", predictions=_two(0.3), good=GOOD, better=BETTER).iloc[-1]
    assert stays["model"] == "better"
    assert "Diebold" not in stays["reason"]


def test_a_review_that_only_the_audit_is_missing_for_stays_open() -> None:
    models = {"good": GOOD}
    unaudited = audited(models).iloc[:0]
    history = then(NOTHING, audit=unaudited, **models)
    assert history.iloc[-1][["model", "review"]].tolist() == ["random_walk", None]
    assert "until the audit is made: good passes the rest of the rule" in history.iloc[-1]["reason"]
    assert "`stock-assets audit`" in history.iloc[-1]["reason"]
    assert len(then(history, audit=unaudited, **models)) == 1
    history = then(history, **models)
    assert history.iloc[-1][["model", "review"]].tolist() == ["good", "2026-01"]


def test_a_champion_whose_new_fit_awaits_its_audit_has_not_failed() -> None:
    history = then(NOTHING, good=GOOD)
    history = then(history, month="2026-02", good=GOOD, audit=audited({"good": GOOD}).iloc[:0])
    assert history.iloc[-1][["model", "review", "failed_reviews"]].tolist() == ["good", "2026-01", 0]
    assert history.iloc[-1]["reason"].startswith("good stays until the audit is made")


def test_nobody_is_promoted_on_the_backtest_of_another_version() -> None:
    row = decision(good=GOOD, outdated={"good": "other code"}).iloc[0]
    assert (row["model"], row["review"]) == ("random_walk", "2026-01")
    assert "its backtest is not of the model in use (other code;" in row["reason"]


def test_a_failed_proof_fails_the_review() -> None:
    failed = audited({"good": GOOD}).assign(passed=False)
    row = decision(good=GOOD, audit=failed).iloc[0]
    assert (row["model"], row["review"]) == ("random_walk", "2026-01")
    assert "its audit failed (" in row["reason"]


def test_a_champion_that_may_not_be_promoted_any_more_or_has_no_fit_makes_way_at_once() -> None:
    history = then(NOTHING, good=GOOD)
    retargeted = decision(history, good=GOOD, promotable={"random_walk"}).iloc[0]
    assert retargeted["model"] == "random_walk"
    assert retargeted["reason"] == "Back to the random walk: good may not be promoted any more."
    deleted = decision(history, versions={"random_walk": "1"}, promotable={"good"}).iloc[0]
    assert deleted["reason"] == "Back to the random walk: good has no final fit any more."
    assert deleted["review"] == "2026-01"


def test_a_promotion_of_before_there_were_reviews_does_not_stand() -> None:
    old = then(NOTHING, good=GOOD).assign(review=None, rule_holds=None)
    row = decision(old, versions={"random_walk": "1", "good": "1"}, promotable={"good"}).iloc[0]
    assert row["model"] == "random_walk"


def test_without_a_fit_of_the_random_walk_there_is_no_decision() -> None:
    with pytest.raises(NotTrained, match=r"random_walk has no final fit for T.*there are fits of xgboost.*materialise"):
        decision(versions={"xgboost": "1"})


def test_the_first_decision_and_a_new_fit_are_news_and_a_repetition_is_not() -> None:
    first = decision(noise=NOISE)
    assert is_news(first, NOTHING)
    assert not is_news(first.assign(decided_at=pd.Timestamp(NOW) + pd.Timedelta(days=1)), first)
    assert is_news(first.assign(model_version="refitted"), first)


def test_the_reason_fits_a_screen() -> None:
    models = {f"a_rather_long_model_name_{i}": NOISE for i in range(12)}
    assert len(decision(**models).iloc[0]["reason"]) <= 400
