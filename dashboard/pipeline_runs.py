"""Runs as Dagster tells of them: how far they are, how they ended and why."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from dashboard.dagster_api import DagsterApi, RefusedByDagster
from stock_assets.settings import redact

Status = Literal[
    "QUEUED",
    "NOT_STARTED",
    "MANAGED",
    "STARTING",
    "STARTED",
    "SUSPENDED",
    "SUCCESS",
    "FAILURE",
    "CANCELING",
    "CANCELED",
]
PARTITION_TAG = "dagster/partition"
"""Dagster's tag of a run that names its partition, which here is the market."""
UNFINISHED = ("QUEUED", "NOT_STARTED", "STARTING", "STARTED", "CANCELING")
_OVER = ("SUCCESS", "FAILURE", "CANCELED")
_EVENTS_AT_A_TIME = 1000
_LONGEST_REASON = 400  # characters: that of a run may name many tickers

_FACTS = """fragment Facts on Run {
  runId jobName status creationTime startTime endTime tags { key value } runConfig
}"""
_STEPS = """fragment Steps on Run {
  executionPlan { steps { key } } stepStats { stepKey status }
}"""
_ONE_RUN = """query($id: ID!) {
  runOrError(runId: $id) { __typename ... on Run { ...Facts ...Steps } ... on PythonError { message } }
}"""
_MANY_RUNS = """query($filter: RunsFilter, $limit: Int) {
  runsOrError(filter: $filter, limit: $limit) {
    __typename ... on Runs { results { ...Facts %s } } ... on PythonError { message }
  }
}"""
_EVENTS = """query($id: ID!, $after: String, $limit: Int) {
  logsForRun(runId: $id, afterCursor: $after, limit: $limit) {
    __typename
    ... on EventConnection { cursor hasMore events {
      __typename
      ... on ExecutionStepFailureEvent { stepKey failureMetadata { description } error { ...Error } }
      ... on RunFailureEvent { message error { ...Error } }
    } }
    ... on PythonError { message }
  }
}
fragment Error on PythonError { message causes { message } }"""


@dataclass(frozen=True)
class Run:
    """One run of a job.

    Attributes:
        market: its partition; None for a run that has none.
        tickers: those that it was asked for; empty: all of its market.
        status: in Dagster's words.
        requested_at: when it was asked for, UTC; the others are None until they happen.
        ended_at: when it was over.
        steps: how many it has; 0 where that was not asked for.
        steps_done: of those, how many have ended, well or not.
        running: names of the steps under way, for example `model/xgboost`.
        reason: why it failed, in one line; None unless it did.
        n_failed: tickers that failed in it and have not recovered since, which a run survives; Dagster does not tell.
    """

    run_id: str
    job: str
    market: str | None
    tickers: tuple[str, ...]
    status: Status
    requested_at: datetime
    started_at: datetime | None
    ended_at: datetime | None
    steps: int
    steps_done: int
    running: tuple[str, ...]
    reason: str | None
    url: str
    n_failed: int = 0

    @property
    def is_over(self) -> bool:
        """Whether nothing more will happen."""
        return self.status in _OVER

    @property
    def share_done(self) -> float:
        """Steps that have ended over all steps, from 0 to 1."""
        if self.is_over:
            return 1.0
        return self.steps_done / self.steps if self.steps else 0.0

    def is_about(self, ticker: str, market: str | None) -> bool:
        """Whether it works on a ticker of this market; one whose market is not known may be of any."""
        if self.tickers:
            return ticker in self.tickers
        return self.market is not None and market in (None, self.market)


class Runs:
    """The runs of one Dagster; `ui` is the address of its UI as people open it, for links."""

    def __init__(self, api: DagsterApi, ui: str) -> None:
        self._api, self._ui = api, ui
        self._reasons: dict[str, str] = {}  # of runs that are over, which do not change

    def one(self, run_id: str) -> Run:
        """A run with its steps."""
        answer = self._api.ask(f"{_ONE_RUN}{_FACTS}{_STEPS}", id=run_id)["runOrError"]
        if answer["__typename"] != "Run":
            raise RefusedByDagster(f"Dagster knows no run {run_id!r}", cure="see its runs in its UI")
        return self._read(answer)

    def under_way(self) -> list[Run]:
        """Runs that are queued, started or stopping, with their steps, newest first."""
        return self._many({"statuses": UNFINISHED}, limit=None, with_steps=True)

    def newest(self, limit: int = 20, *, failed_only: bool = False) -> list[Run]:
        """The runs requested last, newest first, without their steps."""
        return self._many({"statuses": ["FAILURE"]} if failed_only else {}, limit=limit, with_steps=False)

    def _many(self, which: Mapping[str, object], *, limit: int | None, with_steps: bool) -> list[Run]:
        query = f"{_MANY_RUNS % ('...Steps' if with_steps else '')}{_FACTS}{_STEPS if with_steps else ''}"
        answer = self._api.ask(query, filter=which, limit=limit)["runsOrError"]
        if answer["__typename"] != "Runs":
            raise RefusedByDagster(f"Dagster lists no runs: {answer.get('message')}", cure="see its log")
        return [self._read(run) for run in answer["results"]]

    def _read(self, run: Mapping[str, Any]) -> Run:
        run_id, status = run["runId"], run["status"]
        plan = run.get("executionPlan") or {"steps": []}
        stats = run.get("stepStats") or []
        return Run(
            run_id=run_id,
            job=run["jobName"],
            market=next((tag["value"] for tag in run["tags"] if tag["key"] == PARTITION_TAG), None),
            tickers=_chosen_tickers(run["runConfig"]),
            status=status,
            requested_at=_time(run["creationTime"]),
            started_at=_time(run["startTime"]) if run["startTime"] else None,
            ended_at=_time(run["endTime"]) if run["endTime"] and status in _OVER else None,
            steps=len(plan["steps"]),
            steps_done=sum(step["status"] in ("SUCCESS", "FAILURE", "SKIPPED") for step in stats),
            running=tuple(_asset(step["stepKey"]) for step in stats if step["status"] == "IN_PROGRESS"),
            reason=self._reason(run_id) if status == "FAILURE" else None,
            url=f"{self._ui}/runs/{run_id}",
        )

    def _reason(self, run_id: str) -> str:
        if run_id not in self._reasons:
            self._reasons[run_id] = _explain(list(self._events(run_id)))
        return self._reasons[run_id]

    def _events(self, run_id: str) -> Iterator[Mapping[str, Any]]:
        after = None
        while True:
            answer = self._api.ask(_EVENTS, id=run_id, after=after, limit=_EVENTS_AT_A_TIME)["logsForRun"]
            if answer["__typename"] != "EventConnection":
                return
            yield from answer["events"]
            if not answer["hasMore"]:
                return
            after = answer["cursor"]


def choose_ticker(ticker: str) -> dict[str, Any]:
    """The run configuration that names one ticker; without it a run is about all of its market."""
    return {"resources": {"universe": {"config": {"tickers": [ticker]}}}}


def _chosen_tickers(run_config: Mapping[str, Any]) -> tuple[str, ...]:
    """What `choose_ticker` names, of configuration that people may have written by hand."""
    within: Any = run_config
    for name in ("resources", "universe", "config", "tickers"):
        within = (within or {}).get(name)
    return tuple(within or ())


def _explain(events: Sequence[Mapping[str, Any]]) -> str:
    """The first failed step and why, as the platform's own failures say it; the run's own failure without one."""
    for event in events:
        if event["__typename"] == "ExecutionStepFailureEvent":
            step = f"{_asset(event['stepKey'])}: "
            why = (event["failureMetadata"] or {}).get("description") or _innermost(event["error"])
            return _line(why if step in why else f"{step}{why}")  # failed tickers name what failed themselves
    for event in events:
        if event["__typename"] == "RunFailureEvent":
            return _line(_innermost(event["error"]) if event["error"] else event["message"])
    return "no reason was recorded"


def _innermost(error: Mapping[str, Any] | None) -> str:
    if error is None:
        return "no reason was given"
    causes = error["causes"] or [error]
    return str(causes[-1]["message"])


def _line(text: str) -> str:
    line = redact(text.strip().partition("\n")[0])
    return line if len(line) <= _LONGEST_REASON else f"{line[:_LONGEST_REASON]}…"


def _asset(step_key: str) -> str:
    return step_key.replace("__", "/")


def _time(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)
