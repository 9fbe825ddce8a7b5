"""The pipeline as the dashboard sees it: what a person may ask Dagster of the same home to do, over HTTP."""

from collections.abc import Mapping
from typing import Any, Literal

from dashboard.dagster_api import DagsterApi, NotOurDagster, RefusedByDagster
from dashboard.pipeline_runs import PARTITION_TAG, Runs, choose_ticker
from stock_assets.errors import StockAssetsError
from stock_assets.settings import Settings
from storage.tickers import validate_ticker

Job = Literal["lineage", "train", "forecast"]
"""Everything, for a ticker without bars or models; training on the bars at hand; the daily update."""
_PARTITIONS = "market"
_DAEMONS = {"SENSOR": "sensors", "QUEUED_RUN_COORDINATOR": "queued runs"}

_LOCATIONS = """{ workspaceOrError {
  __typename
  ... on Workspace { locationEntries { name loadStatus locationOrLoadError {
    __typename
    ... on RepositoryLocation { repositories { name pipelines { name } } }
    ... on PythonError { message }
  } } }
} }"""
_JOB = """query($job: PipelineSelector!) { pipelineOrError(params: $job) {
  __typename
  ... on Pipeline { metadataEntries { label ... on TextMetadataEntry { text } } }
} }"""
_KNOWN_MARKETS = """{ assetNodeOrError(assetKey: {path: ["prices"]}) {
  __typename ... on AssetNode { partitionKeys }
} }"""
_LAUNCH = """mutation($params: ExecutionParams!) { launchRun(executionParams: $params) {
  __typename
  ... on LaunchRunSuccess { run { runId } }
  ... on RunConfigValidationInvalid { errors { message } }
  ... on UnauthorizedError { message }
  ... on PythonError { message }
} }"""
_TERMINATE = """mutation($id: String!) { terminateRun(runId: $id) {
  __typename
  ... on TerminateRunFailure { message }
  ... on RunNotFoundError { message }
  ... on UnauthorizedError { message }
  ... on PythonError { message }
} }"""
_ADD = """mutation($def: String!, $key: String!, $repository: RepositorySelector!) {
  addDynamicPartition(partitionsDefName: $def, partitionKey: $key, repositorySelector: $repository) {
    __typename ... on UnauthorizedError { message } ... on PythonError { message }
  }
}"""
_HEALTH = "{ instance { daemonHealth { allDaemonStatuses { daemonType required healthy } } } }"


class UnknownPartition(StockAssetsError):
    """Dagster knows no such market: a run of it would be accepted and then fail."""


class RunUnderWay(StockAssetsError):
    """The ticker has a run already."""


class Pipeline:
    """Dagster of one home. Threads may share it; every call is a request or a few, so call it outside the event loop.

    All calls raise the errors of `dagster_api.py`.
    """

    def __init__(self, settings: Settings) -> None:
        self._home = settings.home
        self._api = DagsterApi(settings.dagster_api)
        self.runs = Runs(self._api, settings.dagster_ui)

    def require_ours(self) -> Mapping[str, str]:
        """Find this project in Dagster, and make sure that it works for this home. Returns its GraphQL selector.

        `NotOurDagster` where it is not loaded (yet), or its home is another one.
        """
        selector = self._find()
        job = self._api.ask(_JOB, job={**selector, "pipelineName": "lineage"})["pipelineOrError"]
        entries = {entry["label"]: entry.get("text") for entry in job.get("metadataEntries", ())}
        if entries.get("home") != str(self._home):
            raise NotOurDagster(
                f"Dagster at {self._api.url} works for {entries.get('home')}, this dashboard shows {self._home}",
                cure="start both with the same STOCK_ASSETS_HOME, or correct STOCK_ASSETS_DAGSTER_UI_URL",
            )
        return selector

    def launch(self, job: Job, ticker: str, market: str) -> str:
        """Start a run of one ticker and return its id. It is queued first; `runs.one` says how far it is.

        Raises:
            UnknownPartition: Dagster has no such market. RunUnderWay: the ticker has a run already.
        """
        validate_ticker(ticker)
        selector = self.require_ours()
        if market not in self._api.ask(_KNOWN_MARKETS)["assetNodeOrError"].get("partitionKeys", ()):
            problem = f"Dagster knows no market {market}"
            raise UnknownPartition(problem, cure="ask again on the page Universe, which makes it known")
        self._require_free(ticker, market)
        params = {
            "selector": {**selector, "pipelineName": job},
            "mode": "default",
            "runConfigData": choose_ticker(ticker),
            "executionMetadata": {"tags": [{"key": PARTITION_TAG, "value": market}]},
        }
        answer = self._api.ask(_LAUNCH, params=params)["launchRun"]
        return str(_require(answer, "LaunchRunSuccess", "did not start the run")["run"]["runId"])

    def terminate(self, run_id: str) -> None:
        """Ask a run to stop. It ends as CANCELED; finished fits are kept."""
        answer = self._api.ask(_TERMINATE, id=run_id)["terminateRun"]
        _require(answer, "TerminateRunSuccess", "did not stop the run")

    def add_partition(self, market: str) -> None:
        """Make a market known to Dagster; known ones stay."""
        selector = self.require_ours()
        answer = self._api.ask(_ADD, **{"def": _PARTITIONS, "key": market, "repository": selector})
        if answer["addDynamicPartition"]["__typename"] != "DuplicateDynamicPartitionError":
            _require(answer["addDynamicPartition"], "AddDynamicPartitionSuccess", f"did not add {market}")

    def require_free(self, ticker: str, market: str | None) -> None:
        """Make sure that no run is about a ticker of a market (None: not known); `RunUnderWay` where there is one."""
        self.require_ours()
        self._require_free(validate_ticker(ticker), market)

    def sleeping(self) -> list[str]:
        """What does not happen because a part of Dagster's daemon is not running, in words; empty: all of it runs."""
        daemons = self._api.ask(_HEALTH)["instance"]["daemonHealth"]["allDaemonStatuses"]
        return [
            _DAEMONS[one["daemonType"]]
            for one in daemons
            if one["daemonType"] in _DAEMONS and one["required"] and not one["healthy"]
        ]

    def _require_free(self, ticker: str, market: str | None) -> None:
        busy = [run for run in self.runs.under_way() if run.is_about(ticker, market)]
        if busy:
            raise RunUnderWay(f"{ticker} has a run already: {busy[0].job}", cure="wait until it is over, or stop it")

    def _find(self) -> Mapping[str, str]:
        answer = self._api.ask(_LOCATIONS)["workspaceOrError"]
        problems = []
        for entry in answer.get("locationEntries", ()):
            loaded = entry["locationOrLoadError"] or {"__typename": "nothing"}
            for repository in loaded.get("repositories", ()):
                if "lineage" in {job["name"] for job in repository["pipelines"]}:
                    return {"repositoryName": repository["name"], "repositoryLocationName": entry["name"]}
            if entry["loadStatus"] == "LOADING":
                problems.append(f"{entry['name']} is still loading")
            elif loaded["__typename"] == "PythonError":
                problems.append(f"{entry['name']} failed to load: {loaded['message'].strip().partition(chr(10))[0]}")
        why = "; ".join(problems) or "no code location has the job `lineage`"
        problem = f"Dagster at {self._api.url} does not have this project loaded: {why}"
        raise NotOurDagster(problem, cure="wait a moment, or see its page Deployment")


def _require(answer: Mapping[str, Any], typename: str, what: str) -> Mapping[str, Any]:
    if answer["__typename"] == typename:
        return answer
    errors = answer.get("errors") or [answer]
    reason = str(errors[0].get("message") or answer["__typename"]).strip().partition("\n")[0]
    raise RefusedByDagster(f"Dagster {what}: {reason}", cure="see its log, or its UI")
