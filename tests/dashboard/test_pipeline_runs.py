"""Runs read from what Dagster answers, without a Dagster."""

from typing import Any

import pytest

from dashboard.dagster_api import Answer, DagsterApi
from dashboard.pipeline_runs import Run, Runs, choose_ticker


class Answering(DagsterApi):
    """Gives one run, and the events of it."""

    def __init__(self, run: dict[str, Any], events: tuple[dict[str, Any], ...] = ()) -> None:
        super().__init__("http://127.0.0.1:1")
        self._run, self._events = run, events

    def ask(self, query: str, **variables: object) -> Answer:
        if "logsForRun" in query:
            return {"logsForRun": {"__typename": "EventConnection", "events": self._events, "hasMore": False}}
        return {"runOrError": {"__typename": "Run", **self._run}}


def read(*events: dict[str, Any], **facts: Any) -> Run:
    times = {"creationTime": 1.0, "startTime": None, "endTime": None}
    tags = [{"key": "dagster/partition", "value": "XNYS"}]
    run = {"runId": "r1", "jobName": "forecast", "status": "QUEUED", "tags": tags, "runConfig": {}} | times | facts
    return Runs(Answering(run, events), "http://ui").one("r1")


def failure(step: str, *, said: str | None = None, error: str = "") -> dict[str, Any]:
    given = {"failureMetadata": {"description": said} if said else None, "error": {"message": error, "causes": []}}
    return {"__typename": "ExecutionStepFailureEvent", "stepKey": step, **given}


@pytest.mark.parametrize(
    ("run_config", "tickers"),
    [
        (choose_ticker("AAPL"), ("AAPL",)),
        ({"resources": {"universe": {"config": {"tickers": ["AAPL", "IBM"]}}}}, ("AAPL", "IBM")),
        ({"resources": {"universe": {"config": {"tickers": []}}}}, ()),
        ({"resources": {"universe": None, "model_settings": {"config": {"fast": True}}}}, ()),
        ({"resources": None}, ()),
        ({}, ()),
    ],
)
def test_a_run_names_its_tickers_in_its_configuration_and_its_market_in_its_tag(
    run_config: dict[str, Any], tickers: tuple[str, ...]
) -> None:
    run = read(runConfig=run_config)
    assert (run.market, run.tickers) == ("XNYS", tickers)


def test_a_run_without_a_partition_has_no_market() -> None:
    assert read(tags=[{"key": "other", "value": "XNYS"}]).market is None


@pytest.mark.parametrize(
    ("event", "reason"),
    [
        (
            failure("raw_prices", said="ZZZZ: raw_prices: no bars — choose another"),
            "ZZZZ: raw_prices: no bars — choose another",
        ),
        (failure("model__xgboost", said="no ticker trades on XNYS"), "model/xgboost: no ticker trades on XNYS"),
        (failure("prices", error="ValueError: odd\nTrace"), "prices: ValueError: odd"),
        (failure("prices", said="x" * 1000), f"prices: {'x' * 392}…"),
    ],
)
def test_the_reason_of_a_failure_names_its_step_once_in_one_line_that_ends(event: dict[str, Any], reason: str) -> None:
    assert read(event, status="FAILURE").reason == reason
