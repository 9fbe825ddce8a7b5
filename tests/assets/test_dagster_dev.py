"""`dagster dev` as a person starts it: the lineage is there, and materialising AAPL from the UI's own API works."""

import json
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

import storage
from stock_assets.settings import PROJECT_ROOT
from tests.assets.conftest import hear_ctrl_c

LOCATION = {"repositoryLocationName": "stock-assets", "repositoryName": "__repository__"}

ADD_PARTITION = """mutation($repository: RepositorySelector!) {
  addDynamicPartition(partitionsDefName: "ticker", partitionKey: "AAPL", repositorySelector: $repository) { __typename }
}"""
LAUNCH = """mutation($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  }
}"""
STATUS = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
ASSETS = "{ assetNodes { groupName assetKey { path } partitionDefinition { name } } }"


class Ui:
    """The GraphQL API that Dagster's UI itself uses."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def ask(self, query: str, **variables: Any) -> Any:
        """Answer to one query."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})  # noqa: S310 - http
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
            return json.load(answer)["data"]

    def is_up(self) -> bool:
        """Whether it answers with a loaded code location."""
        try:
            return bool(self.ask(ASSETS)["assetNodes"])
        except OSError:
            return False


@pytest.fixture
def ui(tmp_path: Path) -> Iterator[Ui]:
    """`dagster dev` in the clone on a free port, with a home of its own and the sample source."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = os.environ | {"STOCK_ASSETS_HOME": str(tmp_path / "home"), "STOCK_ASSETS_SOURCE": "sample"}
    environment.pop("DAGSTER_HOME", None)
    command = [str(Path(sys.executable).with_name("dagster")), "dev", "--host", "127.0.0.1", "--port", str(port)]
    with (tmp_path / "log").open("w") as log:
        process = subprocess.Popen(
            command,
            cwd=PROJECT_ROOT,
            env=environment,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=hear_ctrl_c,
        )
        try:
            yield _when_up(Ui(port), process, tmp_path / "log")
            os.killpg(process.pid, signal.SIGINT)
            process.wait(timeout=60)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def _when_up(ui: Ui, process: subprocess.Popen[bytes], log: Path) -> Ui:
    deadline = time.monotonic() + 120
    while not ui.is_up():
        assert process.poll() is None, log.read_text()
        assert time.monotonic() < deadline, log.read_text()
        time.sleep(0.5)
    return ui


@pytest.mark.slow
def test_materialising_aapl_from_the_ui_ends_with_a_forecast(ui: Ui, tmp_path: Path) -> None:
    nodes = ui.ask(ASSETS)["assetNodes"]
    of_all_tickers = [node["assetKey"]["path"] for node in nodes if node["partitionDefinition"] is None]
    assert of_all_tickers == [["pooled_evaluation"]]
    nodes = [node for node in nodes if node["partitionDefinition"] is not None]
    assert {node["partitionDefinition"]["name"] for node in nodes} == {"ticker"}
    assert sorted({node["groupName"] for node in nodes})[0] == "1_prices"
    added = ui.ask(ADD_PARTITION, repository=LOCATION)["addDynamicPartition"]
    assert added["__typename"] == "AddDynamicPartitionSuccess"

    chosen = [
        {"path": node["assetKey"]["path"]}
        for node in nodes
        if node["groupName"] not in {"4_backtest", "5_audit"}
        and (len(node["assetKey"]["path"]) == 1 or node["assetKey"]["path"][-1] in {"random_walk", "xgboost"})
    ]
    selector = LOCATION | {"pipelineName": "lineage", "assetSelection": chosen}
    tags = [{"key": "dagster/partition", "value": "AAPL"}]
    launched = ui.ask(LAUNCH, params={"selector": selector, "mode": "default", "executionMetadata": {"tags": tags}})
    assert launched["launchRun"]["__typename"] == "LaunchRunSuccess", launched
    run_id = launched["launchRun"]["run"]["runId"]

    deadline = time.monotonic() + 240
    while (status := ui.ask(STATUS, id=run_id)["runOrError"]["status"]) not in {"SUCCESS", "FAILURE", "CANCELED"}:
        assert time.monotonic() < deadline, status
        time.sleep(1)
    assert status == "SUCCESS", (tmp_path / "log").read_text()
    forecasts = storage.table("latest_forecasts", home=tmp_path / "home", ticker="AAPL")
    assert set(forecasts["model"]) == {"random_walk", "xgboost"}
