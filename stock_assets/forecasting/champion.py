"""Champion: who is trusted. The random walk, until a model has passed the rule of `reviews.py` on walk-forward rows.

A review is made once for each calendar month of evidence, since every look at a question is another chance to be fooled
(docs/adr/0075). Between reviews the champion stays.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import numpy as np
import pandas as pd

from stock_assets.forecasting.errors import NotTrained
from stock_assets.forecasting.models import BENCHMARK
from stock_assets.forecasting.reviews import LEVEL, Verdict, better_p, p_text, review, walk_forward_rows

PATIENCE = 2
"""Reviews in a row that a champion may fail before the random walk is back."""


def decide(
    evaluation: pd.DataFrame,
    calibration: pd.DataFrame,
    audit: pd.DataFrame,
    history: pd.DataFrame,
    *,
    predictions: pd.DataFrame,
    ticker: str,
    versions: Mapping[str, str],
    promotable: Collection[str],
    decided_at: datetime,
    outdated: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Choose the champion of one ticker.

    A review is due when the newest walk-forward session lies in a later month than the last review's. Then the passing
    model with the lowest RMSE is promoted over the random walk; over another champion only if Diebold–Mariano says so,
    too. A champion that fails the rule in two reviews in a row makes way.

    Args:
        evaluation, calibration, audit: the ticker's rows of the tables of those names.
        history: its rows of table `champion`: the earlier decisions.
        predictions: its walk-forward rows of table `predictions`; only models that challenge a champion are looked up.
        promotable: every model that may be promoted, scored today or not. The reference formulation never may.
        decided_at: now, aware.
        versions, outdated: as for `review`.

    Returned is one row of table `champion`, whose reason is a sentence with the numbers; `is_news` says whether to keep
    it. `NotTrained` where the random walk has no final fit.
    """
    if BENCHMARK not in versions:
        raise NotTrained(
            f"{BENCHMARK} has no final fit for {ticker}, and every other model is measured against it; there are fits "
            f"of {', '.join(sorted(versions)) or 'no model'}",
            cure=f"materialise model/{BENCHMARK}",
        )
    last = _last(history)
    incumbent = last.model
    if incumbent != BENCHMARK and not (incumbent in promotable and incumbent in versions):
        why = "may not be promoted any more" if incumbent in versions else "has no final fit any more"
        gone = _Decision(BENCHMARK, f"Back to the random walk: {incumbent} {why}.", review=last.review)
        return _row(gone, ticker, versions, decided_at)
    month = _month(evaluation, promotable)
    if month is None or (last.review is not None and month <= last.review):
        return _row(last, ticker, versions, decided_at)
    verdicts = review(evaluation, calibration, audit, versions=versions, promotable=promotable, outdated=outdated)
    chosen = _choose(verdicts, last, predictions)
    awaiting = _awaiting(verdicts, incumbent)
    # What only an audit is missing for stays open: the same evidence is judged again once the audit is there.
    if awaiting and not chosen.rule_holds:
        return _row(_open(awaiting, last), ticker, versions, decided_at)
    reviewed = replace(chosen, review=month, reason=f"{chosen.reason} Review of {month}.")
    return _row(reviewed, ticker, versions, decided_at)


def is_news(decision: pd.DataFrame, earlier: pd.DataFrame) -> bool:
    """Whether a decision says anything that the ticker's last one, of its rows of table `champion`, did not."""
    if earlier.empty:
        return True
    last = earlier.sort_values("decided_at").iloc[-1]
    return any(decision.iloc[0][name] != last[name] for name in ("model", "reason", "model_version"))


@dataclass(frozen=True)
class _Decision:
    """What a row of table `champion` says, apart from whose and when. Defaults: nothing was ever reviewed."""

    model: str
    reason: str
    p_value: float = float("nan")
    n: int = 0
    rule_holds: bool | None = None
    failed_reviews: int = 0
    review: str | None = None


_NO_EVIDENCE = _Decision(
    BENCHMARK,
    "The random walk stays: there is no walk-forward evidence of any model yet; `stock-assets backtest` makes it.",
)


def _last(history: pd.DataFrame) -> _Decision:
    """The newest decision that stands; decisions of before there were reviews do not."""
    if history.empty:
        return _NO_EVIDENCE
    last = history.sort_values("decided_at").iloc[-1]
    if pd.isna(last["review"]):
        return _NO_EVIDENCE
    holds = None if pd.isna(last["rule_holds"]) else bool(last["rule_holds"])
    p_value, n, failed = float(last["p_value"]), int(last["n"]), int(last["failed_reviews"])
    return _Decision(str(last["model"]), str(last["reason"]), p_value, n, holds, failed, str(last["review"]))


def _month(evaluation: pd.DataFrame, promotable: Collection[str]) -> str | None:
    """Calendar month of the newest walk-forward session of any model that could be promoted."""
    rows = walk_forward_rows(evaluation)
    newest = rows.loc[rows.index.isin(promotable) & (rows.index != BENCHMARK), "last_session"].max()
    return None if pd.isna(newest) else f"{newest:%Y-%m}"


def _choose(verdicts: Mapping[str, Verdict], last: _Decision, predictions: pd.DataFrame) -> _Decision:
    passed = [verdict for verdict in verdicts.values() if verdict.passed]  # lowest RMSE first
    if last.model == BENCHMARK:
        if not passed:
            return _nobody(verdicts)
        best, clean = passed[0], "its intervals are honest and its audit is clean"
        return _of(best, f"{best.model} beats the random walk: {best.numbers}; {clean}.")
    own = verdicts.get(last.model)
    failed = 0 if own is not None and own.passed else last.failed_reviews + 1
    if failed >= PATIENCE:
        return _demoted(last.model, own, passed)
    rival = next((verdict for verdict in passed if verdict.model != last.model), None)
    if rival is None or (own is not None and own.passed and own.rmse <= rival.rmse):
        return _kept(last.model, own, failed)
    p_value = better_p(predictions, rival.model, last.model)
    if p_value < LEVEL:
        replaces = f"{rival.model} replaces {last.model}: Diebold-Mariano p {p_text(p_value)} between the two; against"
        return _of(rival, f"{replaces} the random walk {rival.numbers}.")
    more = f" {rival.model} passes, too, but Diebold-Mariano p {p_text(p_value)} does not prove it better."
    return _kept(last.model, own, failed, more)


def _of(verdict: Verdict, reason: str, failed_reviews: int = 0) -> _Decision:
    return _Decision(verdict.model, reason, verdict.p_value, verdict.n, verdict.passed, failed_reviews)


def _nobody(verdicts: Mapping[str, Verdict]) -> _Decision:
    best = min(verdicts.values(), key=lambda verdict: (np.isnan(verdict.p_value), verdict.p_value, verdict.rmse))
    reason = (
        f"The random walk stays: the best candidate, {best.model}, does not pass ({'; '.join(best.obstacles)}). "
        f"Its evidence: {best.numbers}."
    )
    return _Decision(BENCHMARK, reason, best.p_value, best.n)


def _kept(model: str, own: Verdict | None, failed: int, more: str = "") -> _Decision:
    if own is None:
        reason = f"{model} stays for now, though it has no walk-forward rows. {_WARNING}{more}"
        return _Decision(model, reason, rule_holds=False, failed_reviews=failed)
    if own.passed:
        return _of(own, f"{model} stays: {own.numbers}.{more}")
    against = "; ".join(own.obstacles)
    return _of(own, f"{model} stays for now, though it fails the rule: {against}. {_WARNING}{more}", failed)


_WARNING = "If it fails the next review, too, the random walk is back."


def _demoted(model: str, own: Verdict | None, passed: Sequence[Verdict]) -> _Decision:
    why = "it has no walk-forward rows" if own is None else "; ".join(own.obstacles)
    failed = f"{model} failed {PATIENCE} reviews in a row ({why})"
    if passed:
        return _of(passed[0], f"{passed[0].model} takes over, since {failed}: {passed[0].numbers}.")
    p_value, n = (float("nan"), 0) if own is None else (own.p_value, own.n)
    return _Decision(BENCHMARK, f"Back to the random walk: {failed}.", p_value, n)


def _awaiting(verdicts: Mapping[str, Verdict], incumbent: str) -> Verdict | None:
    """The model that only an audit stands between and the championship; only the champion itself, if there is one."""
    awaiting = [verdict for verdict in verdicts.values() if verdict.awaits_audit]
    return next((verdict for verdict in awaiting if incumbent in (BENCHMARK, verdict.model)), None)


def _open(awaiting: Verdict, last: _Decision) -> _Decision:
    stays = "The random walk stays" if last.model == BENCHMARK else f"{last.model} stays"
    reason = (
        f"{stays} until the audit is made: {awaiting.model} passes the rest of the rule, but {awaiting.obstacles[-1]} "
        f"(`stock-assets audit`). Its evidence: {awaiting.numbers}."
    )
    return replace(last, reason=reason, p_value=awaiting.p_value, n=awaiting.n)


def _row(decision: _Decision, ticker: str, versions: Mapping[str, str], decided_at: datetime) -> pd.DataFrame:
    row = {
        "ticker": ticker,
        "decided_at": pd.Timestamp(decided_at).tz_convert("UTC"),
        "model": decision.model,
        "promoted": decision.model != BENCHMARK,
        "reason": decision.reason,
        "p_value": decision.p_value,
        "n": decision.n,
        "model_version": versions[decision.model],
        "review": decision.review,
        "rule_holds": decision.rule_holds,
        "failed_reviews": decision.failed_reviews,
    }
    return pd.DataFrame([row]).astype({"decided_at": "datetime64[ns, UTC]", "n": "int64", "failed_reviews": "int64"})
