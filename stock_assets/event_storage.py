"""Dagster's SQLite storage with connections that stay open, for one process that makes many short runs.

Dagster's own opens, syncs and closes a database for each of a run's 330 events (docs/adr/0091). Here the index and the
newest run's database stay open, and SQLite syncs its write-ahead log when it is folded in. A killed process loses
nothing; a machine that loses power may lose the newest events, which say what was done. What is true is in the lake.
What steps and checks ask about assets again and again is answered once (docs/adr/0096).
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from typing import Any, Self, TypeVar

import dagster as dg
from dagster._core.storage.event_log.base import AssetRecord
from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine, event

from stock_assets.dagster_storage import opened_alone
from stock_assets.event_answers import Answers

_RECORD = "record"
_Answer = TypeVar("_Answer")


class OpenEventLog(SqliteEventLogStorage):
    """Dagster's event log; opens each database once."""

    def __init__(self, base_dir: str) -> None:
        """Work in Dagster's own folder of event logs."""
        self._engines: dict[str, Engine] = {}
        self._tables: set[str] = set()
        self._partitions: set[tuple[str, str]] = set()
        self._answers = Answers()
        super().__init__(base_dir)

    @contextmanager
    def run_connection(self, run_id: str | None = None) -> Iterator[Connection]:
        """A transaction on the events of one run."""
        with self._transaction(str(run_id)) as connection:
            yield connection

    @contextmanager
    def index_connection(self) -> Iterator[Connection]:
        """A transaction on what is asked across runs."""
        with self._transaction(INDEX_SHARD_NAME) as connection, self._answers.watching(connection):
            yield connection

    def has_table(self, table_name: str) -> bool:
        """Whether the index has this table; one that is there is not looked for again."""
        if table_name not in self._tables:
            if not super().has_table(table_name):
                return False
            self._tables.add(table_name)
        return True

    def has_dynamic_partition(self, partitions_def_name: str, partition_key: str) -> bool:
        """Whether a partition is there; one that was is not looked for again, though each input of each step asks."""
        asked = (partitions_def_name, partition_key)
        if asked not in self._partitions:
            if not super().has_dynamic_partition(*asked):
                return False
            self._partitions.add(asked)
        return True

    def delete_dynamic_partition(self, partitions_def_name: str, partition_key: str) -> None:
        """Take a partition away, and forget it."""
        self._partitions.discard((partitions_def_name, partition_key))
        super().delete_dynamic_partition(partitions_def_name, partition_key)

    def store_event(self, event: dg.EventLogEntry) -> None:
        """Write an event; what was known of its asset is asked again."""
        with self._answers.storing(event):
            super().store_event(event)

    def get_asset_records(self, asset_keys: Sequence[dg.AssetKey] | None = None) -> Sequence[AssetRecord]:
        """Newest state of assets; each step asks for all of its inputs."""
        if asset_keys is None:
            return super().get_asset_records()
        answers = self._known_answers()
        known = {key: answers.about(key) for key in asset_keys}
        unknown = [key for key, about in known.items() if _RECORD not in about]
        if unknown:
            found = {record.asset_entry.asset_key: record for record in super().get_asset_records(unknown)}
            for key in unknown:
                known[key][_RECORD] = found.get(key)
        return [about[_RECORD] for about in known.values() if about[_RECORD] is not None]

    def get_latest_tags_by_partition(
        self,
        asset_key: dg.AssetKey,
        event_type: dg.DagsterEventType,
        tag_keys: Sequence[str],
        asset_partitions: Sequence[str] | None = None,
        before_cursor: int | None = None,
        after_cursor: int | None = None,
    ) -> Mapping[str, Mapping[str, str]]:
        """Tags of an asset's newest events; each step asks for the data version of all of its inputs."""
        asked = event_type, tag_keys, asset_partitions, before_cursor, after_cursor
        ask = partial(super().get_latest_tags_by_partition, asset_key, *asked)
        return self._asked_once(asset_key, f"tags {asked}", ask)

    def fetch_materializations(
        self,
        records_filter: dg.AssetKey | dg.AssetRecordsFilter,
        limit: int,
        cursor: str | None = None,
        ascending: bool = False,
    ) -> dg.EventRecordsResult:
        """Materialisations of an asset; each of its checks asks for the newest."""
        asset_key = records_filter if isinstance(records_filter, dg.AssetKey) else records_filter.asset_key
        asked = records_filter, limit, cursor, ascending
        return self._asked_once(asset_key, f"materializations {asked}", partial(super().fetch_materializations, *asked))

    def dispose(self) -> None:
        """Close everything."""
        super().dispose()
        self._close(*self._engines)

    def _asked_once(self, asset: dg.AssetKey, question: str, ask: Callable[[], _Answer]) -> _Answer:
        known = self._known_answers().about(asset)
        if question not in known:
            known[question] = ask()
        answer: _Answer = known[question]
        return answer

    def _known_answers(self) -> Answers:
        with self.index_connection() as connection:
            self._answers.look_for_changes(connection)
        return self._answers

    @contextmanager
    def _transaction(self, shard: str) -> Iterator[Connection]:
        if shard not in self._engines:
            with super()._connect(shard):  # makes the database, if it is new
                pass
            self._close(*(self._engines.keys() - {INDEX_SHARD_NAME}))  # of an earlier run
            self._engines[shard] = _open(self.conn_string_for_shard(shard))
        with self._engines[shard].begin() as connection:
            yield connection

    def _close(self, *shards: str) -> None:
        for shard in shards:
            self._engines.pop(shard).dispose()


class OpenStorage(DagsterSqliteStorage):
    """Dagster's storage of runs, events and schedules in the usual files, the events through `OpenEventLog`."""

    def __init__(self, base_dir: str, inst_data: ConfigurableClassData | None = None) -> None:
        """Work in Dagster's folder of the home."""
        super().__init__(base_dir, inst_data)
        self._event_log_storage = OpenEventLog(self._event_log_storage._base_dir)

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> Self:
        """As Dagster makes what its configuration names."""
        with opened_alone(config_value["base_dir"]):
            return cls.from_local(inst_data=inst_data, **config_value)


def _open(address: str) -> Engine:
    engine = create_engine(address, connect_args={"timeout": SQLITE_BUSY_TIMEOUT_SECONDS})
    event.listen(engine, "connect", lambda connection, _: connection.execute("PRAGMA synchronous = NORMAL"))
    return engine
