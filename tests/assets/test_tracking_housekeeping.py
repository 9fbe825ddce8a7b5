"""Which runs of a real MLflow store can go, and that they go for good, with their files."""

import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from stock_assets.settings import Settings
from stock_assets.tracking.housekeeping import Unreferenced, remove, unreferenced
from stock_assets.tracking.parents import PARENT_TAG
from stock_assets.tracking.registry import register
from stock_assets.tracking.store import STORE_FILE, TrackingStore

LATER = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> TrackingStore:
    return TrackingStore.of(Settings(home=tmp_path_factory.mktemp("housekeeping")))


def parent(store: TrackingStore, status: str = "FINISHED") -> str:
    run_id = str(store.client.create_run(store.experiment_id, tags={"kind": "parent"}).info.run_id)
    store.client.set_terminated(run_id, status)
    return run_id


def child(store: TrackingStore, of: str, fit: str = "", status: str | None = "FINISHED") -> str:
    """A fit's run with one file."""
    tags = {"kind": "fit", PARENT_TAG: of, "ticker": "AAPL", "model": "xgboost"}
    tags |= {"evaluated_version": f"{fit}-e", "final_version": fit} if fit else {}
    run_id = str(store.client.create_run(store.experiment_id, tags=tags).info.run_id)
    store.client.log_text(run_id, fit, "final/weights.json")
    if status is not None:
        store.client.set_terminated(run_id, status)
    return run_id


def found(
    store: TrackingStore,
    *,
    linked: frozenset[str] = frozenset(),
    fits: frozenset[str] = frozenset(),
    before: datetime = LATER,
) -> set[str]:
    addresses = {("AAPL", "xgboost", fit) for fit in fits}
    return {run.run_id for run in unreferenced(store, linked=linked, fits=addresses, before=before)}


@pytest.fixture
def made(store: TrackingStore) -> list[str]:
    """A parent with a failed child and a finished one."""
    mother = parent(store)
    return [mother, child(store, mother, status="FAILED"), child(store, mother, "f1")]


def test_a_run_that_nothing_refers_to_can_go_and_its_parent_with_the_last_child(
    store: TrackingStore, made: list[str]
) -> None:
    mother, failed, finished = made
    assert {mother, failed, finished} <= found(store)
    assert found(store, linked=frozenset({finished})).intersection(made) == {failed}
    assert found(store, fits=frozenset({"f1"})).intersection(made) == {failed}
    assert found(store, fits=frozenset({"f1-e"})).intersection(made) == {failed}
    assert found(store, linked=frozenset({mother})).intersection(made) == {failed, finished}


def test_what_is_young_or_at_work_stays(store: TrackingStore, made: list[str]) -> None:
    working = child(store, made[0], status=None)
    assert found(store, before=datetime.now(UTC) - timedelta(days=1)) == set()
    assert found(store).intersection({working, *made}) == set(made[1:])
    store.client.set_terminated(working)


def test_a_registered_version_keeps_its_run(store: TrackingStore) -> None:
    mother = parent(store)
    registered = child(store, mother, "r1")
    register(store, registered, ticker="AAPL", model="xgboost", version="r1")
    assert found(store).isdisjoint({mother, registered})


def test_runs_of_somebody_else_are_not_ours_to_take(store: TrackingStore) -> None:
    own = str(store.client.create_run(store.experiment_id).info.run_id)
    other = str(store.client.create_run(store.client.create_experiment("theirs"), tags={"kind": "fit"}).info.run_id)
    for run_id in (own, other):
        store.client.set_terminated(run_id)
    assert found(store).isdisjoint({own, other})


def test_what_is_removed_is_gone_with_its_files_and_nothing_else_is(store: TrackingStore, made: list[str]) -> None:
    mother, failed, finished = made
    folder = store.folder / "artifacts"
    kept = (folder / finished / "artifacts" / "final" / "weights.json").read_text(encoding="utf-8")
    going = [run for run in unreferenced(store, linked={finished}, fits=(), before=LATER) if run.run_id == failed]
    assert going == [Unreferenced(failed, folder / failed)]

    remove(store, going)

    assert not (folder / failed).exists()
    assert failed not in found(store), "not even in MLflow's bin"
    assert (folder / finished / "artifacts" / "final" / "weights.json").read_text(encoding="utf-8") == kept
    assert {store.client.get_run(run).info.status for run in (mother, finished)} == {"FINISHED"}


def test_one_in_mlflows_bin_can_go_too(store: TrackingStore, made: list[str]) -> None:
    store.client.delete_run(made[1])
    assert made[1] in found(store)
    remove(store, [Unreferenced(made[1], None)])
    assert made[1] not in found(store)


def test_artifacts_that_are_elsewhere_are_left_alone(store: TrackingStore, made: list[str], tmp_path: Path) -> None:
    with closing(sqlite3.connect(store.folder / STORE_FILE)) as connection, connection:
        address = (tmp_path / "shared" / "artifacts").as_uri()
        connection.execute("UPDATE runs SET artifact_uri = ? WHERE run_uuid = ?", (address, made[1]))
    (run,) = [run for run in unreferenced(store, linked=(), fits=(), before=LATER) if run.run_id == made[1]]
    assert run.folder is None


@pytest.mark.parametrize("uri", ["off", "http://127.0.0.1:9"])
def test_a_store_that_is_not_the_homes_is_not_even_asked(tmp_path: Path, uri: str) -> None:
    foreign = TrackingStore.of(Settings(home=tmp_path, mlflow=uri))
    assert unreferenced(foreign, linked=(), fits=(), before=LATER) == []


def test_a_home_that_tracked_nothing_gets_no_store(tmp_path: Path) -> None:
    fresh = TrackingStore.of(Settings(home=tmp_path))
    assert unreferenced(fresh, linked=(), fits=(), before=LATER) == []
    assert not fresh.folder.exists()
