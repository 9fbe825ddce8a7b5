"""What real runs leave in a real MLflow store: runs, numbers, files, links, versions and aliases."""

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from stock_assets.settings import InvalidSetting, load_settings
from stock_assets.tracking.registry import next_best, registered_name
from stock_assets.tracking.store import TrackingStore
from tests.assets.conftest import SMALL, Desk, Writer, open_desk

NOBODY_LISTENS = "http://somebody:hunter2@127.0.0.1:9"


@pytest.fixture(scope="module")
def tracked(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A home in which AAPL has been run once, tracked in the home's own store."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("STOCK_ASSETS_MLFLOW_URI", "")
        with open_desk(tmp_path_factory.mktemp("tracked")) as desk:
            assert desk.run("AAPL").reason is None
            yield desk


def store_of(desk: Desk) -> TrackingStore:
    return TrackingStore.of(load_settings())


def runs(store: TrackingStore, kind: str) -> list[Any]:
    return list(store.client.search_runs([store.experiment_id], f"tags.kind = '{kind}'"))


def test_a_run_leaves_one_parent_and_a_child_of_it_for_each_model(tracked: Desk) -> None:
    store = store_of(tracked)
    (parent,) = runs(store, "parent")
    children = runs(store, "fit")
    dagster_run = tracked.instance.get_runs()[-1].run_id
    assert parent.info.status == "FINISHED"
    assert parent.info.run_name == "lineage AAPL"
    assert parent.data.tags["dagster_run_id"] == dagster_run
    assert (parent.data.tags["partition"], parent.data.tags["tickers"]) == ("XNYS", "AAPL")
    assert sorted(child.data.tags["model"] for child in children) == sorted(SMALL)
    for child in children:
        tags = child.data.tags
        assert child.info.status == "FINISHED"
        assert tags["mlflow.parentRunId"] == parent.info.run_id
        assert tags["dagster_run_id"] == dagster_run
        assert tags["dagster_run_url"] == f"http://127.0.0.1:3000/runs/{dagster_run}"
        assert (tags["asset"], tags["partition"], tags["ticker"]) == (f"model/{tags['model']}", "XNYS", "AAPL")


def test_the_scores_are_those_of_the_table_evaluation(tracked: Desk) -> None:
    table = tracked.lake.read("evaluation", ticker="AAPL")
    table = table[table["scheme"] == "holdout"].set_index(["model", "role"])
    for child in runs(store_of(tracked), "fit"):
        for role in ("validation", "test"):
            row = table.loc[(child.data.tags["model"], role)]
            for name in ("n", "rmse", "mae", "mape", "skill_vs_naive", "directional_accuracy", "coverage_90"):
                logged = child.data.metrics.get(f"{role}_{name}", math.nan)
                assert logged == pytest.approx(row[name], rel=1e-9, nan_ok=True), name


def test_a_child_names_its_settings_data_code_and_rows(tracked: Desk) -> None:
    fits = tracked.lake.read("models", ticker="AAPL")
    for child in runs(store_of(tracked), "fit"):
        own = fits[fits["model"] == child.data.tags["model"]].set_index("kind")
        assert set(own["mlflow_run_id"]) == {child.info.run_id}
        assert child.data.tags["final_version"] == own.loc["final", "version"]
        assert child.data.tags["code_version"] == own.loc["final", "code_version"]
        assert child.data.params["seed"] == "0"
        assert child.data.params["final_n_train"] == str(own.loc["final", "n_train"])
        digests = {entry.dataset.digest for entry in child.inputs.dataset_inputs}
        assert digests == set(own["data_version"])


def test_a_child_holds_the_native_files_of_both_fits_and_a_picture(tracked: Desk) -> None:
    store = store_of(tracked)
    child = next(run for run in runs(store, "fit") if run.data.tags["model"] == "xgboost")
    folder = Path(store.client.download_artifacts(child.info.run_id, ""))
    for kind in ("evaluated", "final"):
        kept = tracked.settings.models_dir / "ticker=AAPL" / "xgboost" / child.data.tags[f"{kind}_version"]
        names = sorted(path.name for path in kept.iterdir())
        assert sorted(path.name for path in (folder / kind).iterdir()) == names
        assert all((folder / kind / name).read_bytes() == (kept / name).read_bytes() for name in names)
    assert (folder / "predictions.png").read_bytes().startswith(b"\x89PNG")


def test_the_asset_links_to_its_run(tracked: Desk) -> None:
    store = store_of(tracked)
    child = next(run for run in runs(store, "fit") if run.data.tags["model"] == "xgboost")
    shown = tracked.metadata("model/xgboost")
    assert shown["mlflow_run_id"] == child.info.run_id
    assert shown["mlflow_run"] == (
        f"http://127.0.0.1:5000/#/experiments/{store.experiment_id}/runs/{child.info.run_id}"
    )


def test_every_final_fit_is_a_version_and_the_aliases_follow_the_champion(tracked: Desk) -> None:
    store, name = store_of(tracked), registered_name("AAPL")
    versions = {version.tags["model"]: version for version in store.client.search_model_versions(f"name = '{name}'")}
    fits = tracked.lake.read("models", ticker="AAPL")
    final = fits[fits["kind"] == "final"].set_index("model")
    assert {model: version.tags["fit"] for model, version in versions.items()} == final["version"].to_dict()
    assert versions["xgboost"].source == f"runs:/{final.loc['xgboost', 'mlflow_run_id']}/final"
    champion = tracked.lake.read("champion", ticker="AAPL").sort_values("decided_at").iloc[-1]
    aliases = store.client.get_registered_model(name).aliases
    assert aliases["champion"] == versions[champion["model"]].version
    assert aliases["challenger"] == versions["xgboost"].version


def test_a_rerun_of_the_same_fits_links_their_run_and_adds_none(tracked: Desk) -> None:
    store = store_of(tracked)
    before = {run.info.run_id for run in store.client.search_runs([store.experiment_id])}
    linked = tracked.lake.read("models", ticker="AAPL")["mlflow_run_id"].tolist()
    assert tracked.run("AAPL").reason is None
    assert {run.info.run_id for run in store.client.search_runs([store.experiment_id])} == before
    assert tracked.lake.read("models", ticker="AAPL")["mlflow_run_id"].tolist() == linked
    assert tracked.metadata("model/xgboost")["mlflow_run_id"] in linked


def _put_in_the_way(desk: Desk, ticker: str, model: str) -> None:
    """A file where the folder of a model should be."""
    folder = desk.settings.models_dir / f"ticker={ticker}"
    folder.mkdir(exist_ok=True)
    (folder / model).touch()


def _tracked_of(desk: Desk) -> dict[tuple[str, str], str]:
    """(Ticker, model) of each child and the parent of the newest Dagster run → its status."""
    store, [newest] = store_of(desk), desk.instance.get_runs(limit=1)
    found = store.client.search_runs([store.experiment_id], f"tags.dagster_run_id = '{newest.run_id}'")
    return {(run.data.tags.get("ticker", ""), run.data.tags.get("model", "parent")): run.info.status for run in found}


def test_a_model_that_fails_ends_its_child_failed_and_the_run_of_the_others_finished(tracked: Desk) -> None:
    _put_in_the_way(tracked, "MSFT", "xgboost")
    assert tracked.run("MSFT", "GOOG").failed == {}
    assert _tracked_of(tracked) == {
        ("", "parent"): "FINISHED",
        ("MSFT", "random_walk"): "FINISHED",
        ("MSFT", "xgboost"): "FAILED",
        ("GOOG", "random_walk"): "FINISHED",
        ("GOOG", "xgboost"): "FINISHED",
    }
    (parent, *_) = runs(store_of(tracked), "parent")
    assert parent.info.run_name == "lineage XNYS"
    assert parent.data.tags["tickers"] == "MSFT, GOOG"


def test_a_run_that_fails_ends_failed_with_the_child_that_failed(
    tracked: Desk, write_csv: Writer, csv_dir: Path
) -> None:
    write_csv("ODD")
    _put_in_the_way(tracked, "ODD", "random_walk")
    assert tracked.run("ODD", models=("random_walk",), source="csv", csv_dir=str(csv_dir)).reason is not None
    assert _tracked_of(tracked) == {("", "parent"): "FAILED", ("ODD", "random_walk"): "FAILED"}


def test_without_the_store_training_completes_says_so_and_is_tracked_by_the_next_run(
    tracked: Desk, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STOCK_ASSETS_MLFLOW_URI", NOBODY_LISTENS)
    assert tracked.run("IBM", models=("random_walk",)).reason is None
    assert set(tracked.lake.read("forecasts", ticker="IBM")["model"]) == {"random_walk"}
    assert tracked.lake.read("models", ticker="IBM")["mlflow_run_id"].isna().all()
    said = tracked.metadata("model/random_walk")["mlflow"]
    assert said.startswith("not tracked: MLflow at http://(password)@127.0.0.1:9 could not be used")
    assert "IBM: this fit of random_walk is not tracked" in (heard := capfd.readouterr().err)
    assert "hunter2" not in said + heard

    monkeypatch.setenv("STOCK_ASSETS_MLFLOW_URI", "")
    assert tracked.run("IBM", models=("random_walk",)).reason is None
    (linked,) = set(tracked.lake.read("models", ticker="IBM")["mlflow_run_id"])
    assert store_of(tracked).client.get_run(linked).info.status == "FINISHED"


@pytest.mark.slow
def test_switched_off_nothing_is_made(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCK_ASSETS_MLFLOW_URI", "off")
    assert desk.run("AAPL", models=("random_walk",)).reason is None
    assert desk.metadata("model/random_walk")["mlflow"] == "off"
    assert not desk.settings.mlflow_dir.exists()


def test_the_challenger_is_the_best_of_the_others_on_walk_forward_rows_or_else_validation() -> None:
    columns = ["model", "scheme", "role", "rmse"]
    validation = [["a", "holdout", "validation", 1.0], ["b", "holdout", "validation", 2.0]]
    backtest = [["a", "walk_forward", "test", 4.0], ["b", "walk_forward", "test", 3.0]]
    assert next_best(pd.DataFrame(validation, columns=columns), "c") == "a"
    assert next_best(pd.DataFrame(validation + backtest, columns=columns), "c") == "b"
    assert next_best(pd.DataFrame(validation + backtest, columns=columns), "b") == "a"
    assert next_best(pd.DataFrame(validation[:1], columns=columns), "a") is None


def test_a_number_of_versions_that_is_none_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCK_ASSETS_MLFLOW_VERSIONS", "0")
    with pytest.raises(InvalidSetting, match=r"STOCK_ASSETS_MLFLOW_VERSIONS is '0'; expected a whole number from 1"):
        load_settings()


def test_a_link_to_a_server_is_its_address_without_the_password(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCK_ASSETS_MLFLOW_URI", "https://me:hunter2@tracking.example/")
    assert load_settings().mlflow_ui == "https://tracking.example"
    assert "hunter2" not in repr(load_settings())
