"""Dagster's SQLite storage with connections that stay open, for one process that makes many short runs.

Dagster's own opens, syncs and closes a database for each of a run's 330 events (docs/adr/0091). Here the index and the
newest run's database stay open, and SQLite syncs its write-ahead log when it is folded in. A killed process loses
nothing; a machine that loses power may lose the newest events, which say what was done. What is true is in the lake.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Self

from dagster._core.storage.event_log.sqlite.sqlite_event_log import INDEX_SHARD_NAME, SqliteEventLogStorage
from dagster._core.storage.sqlite import SQLITE_BUSY_TIMEOUT_SECONDS
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage
from dagster._serdes import ConfigurableClassData
from sqlalchemy import Connection, Engine, create_engine, event

from stock_assets.dagster_storage import opened_alone


class OpenEventLog(SqliteEventLogStorage):
    """Dagster's event log; opens each database once."""

    def __init__(self, base_dir: str) -> None:
        """Work in Dagster's own folder of event logs."""
        self._engines: dict[str, Engine] = {}
        self._tables: set[str] = set()
        self._partitions: set[tuple[str, str]] = set()
        super().__init__(base_dir)

    @contextmanager
    def run_connection(self, run_id: str | None = None) -> Iterator[Connection]:
        """A transaction on the events of one run."""
        with self._transaction(str(run_id)) as connection:
            yield connection

    @contextmanager
    def index_connection(self) -> Iterator[Connection]:
        """A transaction on what is asked across runs."""
        with self._transaction(INDEX_SHARD_NAME) as connection:
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

    def dispose(self) -> None:
        """Close everything."""
        super().dispose()
        self._close(*self._engines)

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
