"""What has changed in the lake since the last publication, and applying it to a private copy of the database."""

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from storage.errors import ContractViolation
from storage.layout import Signature, partition_of, scan
from storage.parquet import read_rows
from storage.schema import Table
from storage.tables import TABLES

State = dict[str, Signature]  # path relative to the lake → what was published of it
_BATCH = 500  # files read before their rows are inserted: bounds the memory of a rebuild


@dataclass(frozen=True)
class Change:
    """What to do to one table.

    Attributes:
        outdated: published files that are gone or replaced; their rows go.
        fresh: files to read; their rows come.
        from_scratch: all rows of the table go first (an append-only table was compacted).
        damaged: published files of an append-only table that have become unreadable; their rows stay. Rows do not tell
            which append they came from, so this must be known before any goes.
    """

    table: Table
    outdated: tuple[str, ...]
    fresh: tuple[str, ...]
    from_scratch: bool
    damaged: tuple[str, ...] = ()

    def applied(self, damaged: Collection[str]) -> tuple[str, ...]:
        """The files that counted, each once, if those in `damaged` were skipped."""
        return tuple(dict.fromkeys(path for path in (*self.outdated, *self.fresh) if path not in damaged))


def find_changes(root: Path, published: State) -> list[Change]:
    """Compare the lake's files with those published; tables without a difference are left out."""
    by_table: dict[str, State] = {name: {} for name in TABLES}
    for path, mark in published.items():
        by_table[path.partition("/")[0]][path] = mark
    changes = []
    for name, table in TABLES.items():
        before = by_table[name]
        now = scan(root, table)
        outdated = tuple(path for path, mark in before.items() if now.get(path) != mark)
        # Of these, the ones that cannot be read.
        there = tuple(path for path in outdated if table.append_only and path in now)
        damaged = tuple(path for path in there if _read_all(root, table, (path,))[1])
        outdated = tuple(path for path in outdated if path not in damaged)
        from_scratch = table.append_only and bool(outdated)
        fresh = tuple(p for p, mark in now.items() if p not in damaged and (from_scratch or before.get(p) != mark))
        if outdated or fresh or damaged:
            changes.append(Change(table, tuple(before) if from_scratch else outdated, fresh, from_scratch, damaged))
    return changes


def read_state(connection: duckdb.DuckDBPyConnection) -> State:
    """The files the attached database was published from."""
    rows = connection.execute("SELECT path, inode, size, mtime_ns FROM warehouse.lake_state.files").fetchall()
    return {path: Signature(*mark) for path, *mark in rows}


def apply(connection: duckdb.DuckDBPyConnection, root: Path, change: Change) -> tuple[str, ...]:
    """Bring one table up to date; the caller has begun a transaction. Returns the damaged files, in order.

    They are skipped: the rows published of them stay, and so does what is recorded of them, so that the next
    publication tries again.
    """
    damaged = list(change.damaged)
    if change.from_scratch:
        connection.execute(f'DELETE FROM "{change.table.name}"')  # noqa: S608 (names are ours, from the contracts)
        _delete(connection, "lake_state.files", pa.table({"path": list(change.outdated)}))
    else:
        _forget(connection, change.table, sorted(set(change.outdated).difference(change.fresh)))
    for start in range(0, len(change.fresh), _BATCH):
        paths = change.fresh[start : start + _BATCH]
        found, skipped = _read_all(root, change.table, paths)
        damaged += skipped
        if not change.from_scratch:
            _forget(connection, change.table, sorted(set(paths).intersection(change.outdated).difference(skipped)))
        if found:
            rows = pa.concat_tables([rows for _, rows, _ in found])
            _insert(connection, f'"{change.table.name}"', rows)
            marks = pa.Table.from_pylist([{"path": path, **mark._asdict()} for path, _, mark in found])
            _insert(connection, "lake_state.files", marks)
    return tuple(sorted(damaged))


def _read_all(
    root: Path, table: Table, paths: tuple[str, ...]
) -> tuple[list[tuple[str, pa.Table, Signature]], list[str]]:
    """What was read, and the damaged files. A file deleted meanwhile is in neither."""
    found, damaged = [], []
    for path in paths:
        try:
            content = read_rows(root, table, path)
        except ContractViolation:
            damaged.append(path)
            continue
        if content is not None:
            found.append((path, *content))
    return found, damaged


def _forget(connection: duckdb.DuckDBPyConnection, table: Table, paths: list[str]) -> None:
    if paths:
        gone = pa.Table.from_pylist([partition_of(table, path) for path in paths])
        _delete(connection, f'"{table.name}"', gone)
        _delete(connection, "lake_state.files", pa.table({"path": paths}))


def _delete(connection: duckdb.DuckDBPyConnection, table: str, gone: pa.Table) -> None:
    if gone.num_rows == 1:  # constants let DuckDB skip row groups
        row = gone.to_pylist()[0]
        where = " AND ".join(f"{name} = ?" for name in row)
        connection.execute(f"DELETE FROM {table} WHERE {where}", list(row.values()))  # noqa: S608 (names are ours, from the contracts)
        return
    connection.register("gone", gone)
    matches = " AND ".join(f"target.{name} = gone.{name}" for name in gone.column_names)
    connection.execute(f"DELETE FROM {table} AS target USING gone WHERE {matches}")  # noqa: S608 (names are ours, from the contracts)
    connection.unregister("gone")


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: pa.Table) -> None:
    connection.register("incoming", rows)
    connection.execute(f"INSERT INTO {table} BY NAME SELECT * FROM incoming")  # noqa: S608 (names are ours, from the contracts)
    connection.unregister("incoming")
