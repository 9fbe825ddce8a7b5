"""Versions and aliases in a real registry: how many are kept, and what an alias may never do."""

import shutil
from pathlib import Path

import pytest

from stock_assets.settings import Settings
from stock_assets.tracking.registry import register, registered_name, sync_aliases
from stock_assets.tracking.store import TrackingStore, TrackingUnavailable

NAME = registered_name("AAPL")


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> TrackingStore:
    return TrackingStore.of(Settings(home=tmp_path_factory.mktemp("registry"), mlflow_versions=2))


def add(store: TrackingStore, model: str, fit: str, folder: Path) -> str:
    """A run that holds files of a final fit, registered."""
    run_id = str(store.client.create_run(store.experiment_id).info.run_id)
    (folder / "weights.json").write_text(fit, encoding="utf-8")
    store.client.log_artifacts(run_id, str(folder), "final")
    register(store, run_id, ticker="AAPL", model=model, version=fit)
    return run_id


def kept(store: TrackingStore) -> list[str]:
    return sorted(version.tags["fit"] for version in store.client.search_model_versions(f"name = '{NAME}'"))


def test_the_newest_versions_of_each_model_are_kept_and_the_one_with_an_alias(
    store: TrackingStore, tmp_path: Path
) -> None:
    first = add(store, "xgboost", "x1", tmp_path)
    assert sync_aliases(store, "AAPL", champion="x1", challenger=None) == []
    second = add(store, "xgboost", "x2", tmp_path)
    for fit in ("x3", "x4"):
        add(store, "xgboost", fit, tmp_path)
    add(store, "sarima", "s1", tmp_path)
    assert kept(store) == ["s1", "x1", "x3", "x4"]
    files = {run: [file.path for file in store.client.list_artifacts(run)] for run in (first, second)}
    assert files == {first: ["final"], second: []}
    assert store.client.get_run(second).info.status == "RUNNING", "the run itself stays"


def test_the_same_fit_is_registered_once(store: TrackingStore, tmp_path: Path) -> None:
    add(store, "sarima", "s9", tmp_path)
    before = kept(store)
    add(store, "sarima", "s9", tmp_path)
    assert kept(store) == before


def test_aliases_move_and_one_that_cannot_be_true_is_taken_away(store: TrackingStore, tmp_path: Path) -> None:
    add(store, "random_walk", "w1", tmp_path)
    add(store, "random_forest", "f1", tmp_path)
    assert sync_aliases(store, "AAPL", champion="w1", challenger="f1") == []
    by_alias = {alias: store.client.get_model_version_by_alias(NAME, alias) for alias in ("champion", "challenger")}
    assert {alias: version.tags["fit"] for alias, version in by_alias.items()} == {"champion": "w1", "challenger": "f1"}
    assert sync_aliases(store, "AAPL", champion="never tracked", challenger="w1") == ["champion"]
    assert set(store.client.get_registered_model(NAME).aliases) == {"challenger"}
    add(store, "random_walk", "never tracked", tmp_path)  # a version is added, so the note of what was set is gone
    assert sync_aliases(store, "AAPL", champion="never tracked", challenger="w1") == []
    assert store.client.get_model_version_by_alias(NAME, "champion").tags["fit"] == "never tracked"


def test_while_nothing_changes_mlflow_is_not_asked(store: TrackingStore, tmp_path: Path) -> None:
    nowhere = TrackingStore("http://127.0.0.1:9", tmp_path / "mlflow", "", "", 2)
    with pytest.raises(TrackingUnavailable, match=r"MLflow at http://127\.0\.0\.1:9 could not be used"):
        sync_aliases(nowhere, "AAPL", champion="a", challenger="b")
    note = tmp_path / "mlflow" / "aliases" / "AAPL.json"
    note.parent.mkdir(parents=True)
    note.write_text('{"store": "http://127.0.0.1:9", "champion": "a", "challenger": "b"}', encoding="utf-8")
    assert sync_aliases(nowhere, "AAPL", champion="a", challenger="b") == []
    with pytest.raises(TrackingUnavailable, match="could not be used"):
        sync_aliases(nowhere, "AAPL", champion="a", challenger="c")


def test_a_home_that_was_moved_takes_its_artifacts_along(store: TrackingStore, tmp_path: Path) -> None:
    files = tmp_path / "files"
    files.mkdir()
    run_id = add(store, "sarima", "moved", files)
    home = tmp_path / "elsewhere"
    shutil.copytree(store.folder.parent, home)
    moved = TrackingStore.of(Settings(home=home))
    new = str(moved.client.create_run(moved.experiment_id).info.run_id)
    for run in (run_id, new):
        assert moved.client.get_run(run).info.artifact_uri.startswith((home / "mlflow" / "artifacts").as_uri())
    for weights in (home / "mlflow" / "artifacts" / run_id).rglob("weights.json"):
        weights.write_text("the copy", encoding="utf-8")
    found = Path(moved.client.download_artifacts(run_id, "final/weights.json"))
    assert found.read_text(encoding="utf-8") == "the copy"
    assert store.client.get_run(run_id).info.artifact_uri.startswith(store.folder.as_uri()), "the first is as it was"
