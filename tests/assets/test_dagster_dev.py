"""`dagster dev` as a person starts it: the lineage is there, and materialising AAPL from the UI's own API works."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

import storage
from stock_assets.universe import choose_tickers
from tests.dagster_dev import Ui, dagster_dev

LOCATION = {"repositoryLocationName": "stock-assets", "repositoryName": "__repository__"}

ADD_PARTITION = """mutation($repository: RepositorySelector!) {
  addDynamicPartition(partitionsDefName: "market", partitionKey: "XNYS", repositorySelector: $repository) { __typename }
}"""
LAUNCH = """mutation($params: ExecutionParams!) {
  launchRun(executionParams: $params) {
    __typename ... on LaunchRunSuccess { run { runId } } ... on PythonError { message }
  }
}"""
STATUS = "query($id: ID!) { runOrError(runId: $id) { ... on Run { status } } }"
ASSETS = "{ assetNodes { groupName assetKey { path } partitionDefinition { name } } }"


@pytest.fixture
def ui(tmp_path: Path) -> Iterator[Ui]:
    """Of a home of its own."""
    with dagster_dev(tmp_path / "home", tmp_path / "log") as ui:
        yield ui


@pytest.mark.slow
def test_materialising_aapl_from_the_ui_ends_with_a_forecast(ui: Ui, tmp_path: Path) -> None:
    nodes = ui.ask(ASSETS)["assetNodes"]
    of_no_market = [node["assetKey"]["path"] for node in nodes if node["partitionDefinition"] is None]
    assert of_no_market == [["pooled_evaluation"]]
    nodes = [node for node in nodes if node["partitionDefinition"] is not None]
    assert {node["partitionDefinition"]["name"] for node in nodes} == {"market"}
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
    tags = [{"key": "dagster/partition", "value": "XNYS"}]
    params = {"selector": selector, "mode": "default", "executionMetadata": {"tags": tags}}
    config = {"resources": choose_tickers(["AAPL"])}
    launched = ui.ask(LAUNCH, params=params | {"runConfigData": json.dumps(config)})
    assert launched["launchRun"]["__typename"] == "LaunchRunSuccess", launched
    run_id = launched["launchRun"]["run"]["runId"]

    deadline = time.monotonic() + 240
    while (status := ui.ask(STATUS, id=run_id)["runOrError"]["status"]) not in {"SUCCESS", "FAILURE", "CANCELED"}:
        assert time.monotonic() < deadline, status
        time.sleep(1)
    assert status == "SUCCESS", ui.log.read_text()
    forecasts = storage.table("latest_forecasts", home=tmp_path / "home", ticker="AAPL")
    assert set(forecasts["model"]) == {"random_walk", "xgboost"}
