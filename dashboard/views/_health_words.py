"""What the page *Drift & health* says of its tables, in words. Pure functions of frames."""

from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any

import pandas as pd

from dashboard import run_list, words
from dashboard.parts import Item
from dashboard.pipeline_runs import Run

SHARE = 0.25
"""Share of the inputs that must have drifted for a session's inputs to count as drifted, as the pipeline decides."""
_ACTIONS = {"retrain": "trained again", "keep": "kept", "wait": "waiting"}


@dataclass(frozen=True)
class State:
    """One thing that may have changed: how bad it is (a severity of `Notice`), what it is, and what helps."""

    severity: str
    what: str
    cure: str = ""


def newest_check(drift: pd.DataFrame) -> pd.DataFrame:
    """Rows of the newest check of each input, at the newest session checked, with `ratio`: statistic / threshold."""
    last = _newest_checks(drift[drift["current_end"] == drift["current_end"].max()])
    return last.assign(ratio=last["statistic"] / last["threshold"].where(last["threshold"] > 0))


def shares(drift: pd.DataFrame) -> "pd.Series[float]":
    """Share of drifted inputs by session checked, ascending, by the newest check of each."""
    share: pd.Series[float] = _newest_checks(drift).groupby("current_end")["drifted"].mean().sort_index()
    return share


def _newest_checks(drift: pd.DataFrame) -> pd.DataFrame:
    return drift.sort_values("checked_at").drop_duplicates(["current_end", "feature"], keep="last")


def inputs_state(check: pd.DataFrame) -> State:
    """Of the inputs: rows of `newest_check`; none where nothing was checked."""
    if check.empty:
        return State("info", "Inputs: not checked yet.", "Drift needs 290 sessions of features.")
    drifted, at = check[check["drifted"]], f"{check['current_end'].iloc[0]:%Y-%m-%d}"
    if drifted.empty:
        return State("success", f"Inputs: as before, all {len(check)} of them.", f"Checked at {at}.")
    names = ", ".join(drifted.sort_values("ratio", ascending=False)["feature"])
    severity = "warning" if len(drifted) >= SHARE * len(check) else "info"
    return State(severity, f"Inputs: {len(drifted)} of {len(check)} have drifted.", f"At {at}: {names}.")


def freshness_rows(freshness: pd.DataFrame, source: str | None, today: date) -> pd.DataFrame:
    """Rows of `queries.freshness` as text, with `state` in words and `is_behind`; `source` is that of the bars."""
    states = [
        _prices_state(row["newest"], source, today) if row["stage"] == "prices" else _stage_state(row)
        for row in freshness.to_dict("records")
    ]
    return freshness.assign(
        newest=[_session(at) for at in freshness["newest"]],
        expected=[_session(at) for at in freshness["expected"]],
        state=[state for state, _ in states],
        is_behind=[is_behind for _, is_behind in states],
    )


def _prices_state(newest: Any, source: str | None, today: date) -> tuple[str, bool]:
    if words.is_missing(newest):
        return "no bars yet", True
    if source == "sample":
        return "sample data ends here", False
    return words.age(newest.date(), today), words.is_stale(newest.date(), today)


def _stage_state(row: Mapping[Hashable, Any]) -> tuple[str, bool]:
    newest, expected = row["newest"], row["expected"]
    if words.is_missing(expected):
        return "nothing to score yet" if row["stage"] == "scores" else "nothing to do yet", False
    if words.is_missing(newest):
        return "none yet", True
    return ("behind prices", True) if newest < expected else ("up to date", False)


def _session(at: Any) -> str:
    return words.MISSING if words.is_missing(at) else f"{at:%Y-%m-%d}"


def freshness_state(rows: pd.DataFrame) -> State:
    """Of the stages: rows of `freshness_rows`."""
    behind = rows[rows["is_behind"]]
    if behind.empty:
        return State("success", f"Stages: all {len(rows)} are up to date.", f"Newest bar: {rows['newest'].iloc[0]}.")
    said = "; ".join(f"{row.stage}: {row.state}" for row in behind.itertuples())
    return State("warning", f"Stages: {len(behind)} of {len(rows)} are behind.", f"{words.sentence_case(said)}.")


def audit_state(audit: pd.DataFrame) -> State:
    """Of the leak audit: rows of `audit`."""
    if audit.empty:
        return State("info", "Audit: not done yet.", "`stock-assets audit` looks for leaks.")
    failed = audit[~audit["passed"].astype(bool)]
    if failed.empty:
        at = f"{audit['audited_at'].max():%Y-%m-%d}"
        return State("success", f"Audit: all {len(audit)} looks have passed.", f"The newest on {at}.")
    what = ", ".join(f"{row['subject']}: {row['name']}" for row in failed.to_dict("records"))
    return State("error", f"Audit: {len(failed)} of {len(audit)} looks have failed.", f"{what}.")


def audit_rows(audit: pd.DataFrame) -> pd.DataFrame:
    """Rows of `audit`, what failed first, `passed` in words."""
    ordered = audit.sort_values(["passed", "subject", "name"])
    return ordered.assign(passed=["✓ passed" if passed else "✗ failed" for passed in ordered["passed"]])


def ticker_state(ticker: Any) -> State:
    """Of the pipeline's last word on the ticker: its row of `tickers`."""
    if ticker.status == "failed":
        return State("error", "Pipeline: the ticker failed.", words.failure(ticker))
    if ticker.status == "ok":
        return State("success", "Pipeline: the newest run ended well.", f"On {ticker.updated_at:%Y-%m-%d %H:%M} UTC.")
    return State("info", f"Pipeline: {ticker.status}, no forecast yet.", "`stock-assets run` makes one.")


def answer(states: list[State]) -> str:
    """The page's question answered in one sentence."""
    wrong = [state.what.partition(":")[0].lower() for state in states if state.severity in ("warning", "error")]
    unknown = [state.what.partition(":")[0].lower() for state in states if state.severity == "info"]
    if wrong:
        return f"No: look at the {_listed(wrong)}."
    return f"As far as is known; {_listed(unknown)} cannot be told in full." if unknown else "Yes, everything is."


def _listed(names: list[str]) -> str:
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else names[0]


def decisions(retraining: pd.DataFrame) -> list[Item]:
    """Rows of `retraining` as news, the newest first."""
    newest = retraining.sort_values("decided_at", ascending=False).replace({"action": _ACTIONS})
    return [Item(words.moment(row.decided_at), str(row.action), str(row.reason)) for row in newest.itertuples()]


def news(announcements: pd.DataFrame) -> list[Item]:
    """Rows of `queries.announcements` as news, in their order."""
    return [Item(words.moment(row.announced_at), str(row.kind), str(row.message)) for row in announcements.itertuples()]


def runs(ended: Sequence[Run]) -> list[Item]:
    """Runs that are over as news, in their order: how each ended, how many tickers failed in it, and why it failed."""
    return [
        Item(words.moment(run.ended_at or run.requested_at), run_list.title(run), run_list.describe(run))
        for run in ended
    ]
