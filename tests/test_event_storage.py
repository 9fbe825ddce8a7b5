"""The event log of many short runs: what it remembers is never older than what is stored, whoever stored it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import dagster as dg
import pytest
from dagster._core.definitions.data_version import DATA_VERSION_TAG
from dagster._core.storage.event_log import SqlEventLogStorage

from stock_assets.runs import open_instance
from stock_assets.settings import Settings, load_settings

PARTITION = "AAPL"


@dg.asset(partitions_def=dg.StaticPartitionsDefinition([PARTITION]))
def bars() -> None:
    """An asset."""


@dg.asset(deps=[bars], partitions_def=dg.StaticPartitionsDefinition([PARTITION]))
def other() -> None:
    """Another one."""


@pytest.fixture
def settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    monkeypatch.setenv("STOCK_ASSETS_HOME", str(tmp_path))
    return load_settings()


@pytest.fixture
def opened(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The instance of a home whose event log remembers."""
    with open_instance(settings, for_many=True) as instance:
        yield instance


@pytest.fixture
def plain(settings: Settings, opened: dg.DagsterInstance) -> Iterator[dg.DagsterInstance]:
    """Dagster's own on the same files, as another process has it."""
    with open_instance(settings) as instance:
        yield instance


def make(asset: dg.AssetsDefinition, instance: dg.DagsterInstance) -> str:
    """Materialise; returns the run's id."""
    return dg.materialize([asset], instance=instance, partition_key=PARTITION, selection=[asset]).run_id


def by_record(instance: dg.DagsterInstance, key: dg.AssetKey) -> str | None:
    found = instance.get_asset_records([key])
    newest = found[0].asset_entry.last_materialization_record if found else None
    return newest.run_id if newest else None


def by_partition(instance: dg.DagsterInstance, key: dg.AssetKey) -> str | None:
    asked = dg.AssetRecordsFilter(asset_key=key, asset_partitions=[PARTITION])
    found = instance.fetch_materializations(asked, limit=1).records
    return found[0].run_id if found else None


def by_asset(instance: dg.DagsterInstance, key: dg.AssetKey) -> str | None:
    found = instance.fetch_materializations(key, limit=1).records
    return found[0].run_id if found else None


def tags(instance: dg.DagsterInstance, key: dg.AssetKey) -> object:
    return instance.event_log_storage.get_latest_tags_by_partition(
        key, dg.DagsterEventType.ASSET_MATERIALIZATION, [DATA_VERSION_TAG], asset_partitions=[PARTITION]
    )


QUESTIONS = (by_record, by_partition, by_asset)
Question = Callable[[dg.DagsterInstance, dg.AssetKey], object]


@pytest.mark.parametrize("ask", QUESTIONS)
def test_what_this_process_stores_is_seen_at_once(opened: dg.DagsterInstance, ask: Question) -> None:
    assert ask(opened, bars.key) is None
    for _ in range(2):
        run = make(bars, opened)
        assert ask(opened, bars.key) == run
        make(other, opened)
        assert ask(opened, bars.key) == run


@pytest.mark.parametrize("ask", QUESTIONS)
def test_what_another_process_stores_is_seen_at_once(
    opened: dg.DagsterInstance, plain: dg.DagsterInstance, ask: Question
) -> None:
    assert ask(opened, bars.key) is None
    for writer in (plain, opened, plain):
        run = make(bars, writer)
        assert ask(opened, bars.key) == run


def wipe(instance: dg.DagsterInstance, run: str) -> None:
    instance.wipe_assets([bars.key])


def delete(instance: dg.DagsterInstance, run: str) -> None:
    instance.delete_run(run)


@pytest.mark.parametrize("remove", [wipe, delete])
@pytest.mark.parametrize("ask", QUESTIONS)
def test_what_this_process_removes_is_gone_at_once(
    opened: dg.DagsterInstance,
    plain: dg.DagsterInstance,
    ask: Question,
    remove: Callable[[dg.DagsterInstance, str], None],
) -> None:
    run = make(bars, opened)
    assert ask(opened, bars.key) == run
    remove(opened, run)
    assert ask(opened, bars.key) == ask(plain, bars.key)


def test_the_state_of_partitions_that_dagster_keeps_is_seen(opened: dg.DagsterInstance) -> None:
    make(bars, opened)
    (before,) = opened.get_asset_records([bars.key])
    opened.get_status_by_partition(bars.key, [PARTITION], bars.partitions_def)
    (after,) = opened.get_asset_records([bars.key])
    assert before.asset_entry.cached_status is None
    assert after.asset_entry.cached_status is not None


def test_data_versions_are_those_of_dagsters_own_storage(opened: dg.DagsterInstance, plain: dg.DagsterInstance) -> None:
    seen = []
    for writer in (opened, plain, opened):
        make(bars, writer)
        assert tags(opened, bars.key) == tags(plain, bars.key)
        seen.append(tags(opened, bars.key))
    assert all(seen)


@pytest.mark.parametrize(
    ("ask", "asked_of"),
    [
        (by_record, "get_asset_records"),
        (by_partition, "fetch_materializations"),
        (by_asset, "fetch_materializations"),
        (tags, "get_latest_tags_by_partition"),
    ],
)
def test_the_database_is_asked_once(
    opened: dg.DagsterInstance, ask: Question, asked_of: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    make(bars, opened)
    first = ask(opened, bars.key)
    monkeypatch.setattr(SqlEventLogStorage, asked_of, _refuse)
    assert ask(opened, bars.key) == first
    with pytest.raises(AssertionError, match="the database was asked"):
        ask(opened, other.key)


def _refuse(*_: object, **__: object) -> object:
    raise AssertionError("the database was asked")
