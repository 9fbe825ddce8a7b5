"""The database file of one generation, while it is private: created, updated by what changed in the lake, packed.

What belongs here: what happens inside the file. What does not: where it goes afterwards (`publisher.py`).
"""

import os
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import duckdb
import pyarrow as pa

from storage import engine
from storage.ddl import create_all, definition
from storage.errors import ContractViolation
from storage.files import temporary_for
from storage.layout import Signature, partition_of, scan
from storage.parquet import read_rows
from storage.schema import Table
from storage.tables import TABLES

State = dict[str, Signature]  # path relative to the lake → what was published of it
_BATCH = 500  # files read before their rows are inserted: bounds the memory of a rebuild
# Replaced rows leave holes. The file is packed anew when it is this much larger than after the last packing.
_BLOAT_FACTOR = 2
_BLOAT_FLOOR = 32 * 2**20


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


def state_of(connection: duckdb.DuckDBPyConnection, path: Path) -> State | None:
    """The lake files a generation was made from; None if it is damaged or was defined by other contracts."""
    try:
        engine.attach(connection, path, read_only=True)
    except duckdb.Error:
        return None
    try:
        built = connection.execute("SELECT definition FROM warehouse.lake_state.build").fetchone()
        rows = connection.execute("SELECT path, inode, size, mtime_ns FROM warehouse.lake_state.files").fetchall()
        return {path: Signature(*mark) for path, *mark in rows} if built == (definition(),) else None
    except duckdb.Error:
        return None
    finally:
        connection.execute(f"DETACH {engine.CATALOG}")


def create(connection: duckdb.DuckDBPyConnection, path: Path, root: Path, todo: list[Change]) -> tuple[str, ...]:
    """Make the database at `path`, with the rows of `todo` from the lake at `root`. Returns the damaged files."""
    with _writing(connection, path):
        connection.begin()
        create_all(connection)
        damaged = _apply_all(connection, root, todo)
        connection.execute("INSERT INTO lake_state.build VALUES (?, 0)", [definition()])
        connection.commit()
    _note_packed(connection, path)
    return damaged


def update(connection: duckdb.DuckDBPyConnection, path: Path, root: Path, todo: list[Change]) -> tuple[str, ...]:
    """Apply `todo` to the database at `path`, and pack it if it has become mostly holes. Returns the damaged files."""
    with _writing(connection, path):
        (packed,) = connection.execute("SELECT packed_bytes FROM lake_state.build").fetchall()[0]
        connection.begin()
        damaged = _apply_all(connection, root, todo)
        connection.commit()
    if path.stat().st_size > max(_BLOAT_FACTOR * packed, packed + _BLOAT_FLOOR):
        pack(connection, path)
    return damaged


def _apply_all(connection: duckdb.DuckDBPyConnection, root: Path, todo: list[Change]) -> tuple[str, ...]:
    return tuple(path for change in todo for path in _apply(connection, root, change))


def pack(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    """Rewrite the database at `path` without holes, rows sorted by key. Same content."""
    packed = temporary_for(path)
    with _writing(connection, packed):
        create_all(connection)
        engine.attach(connection, path, read_only=True, name="loose")
        connection.begin()
        for table in TABLES.values():
            key = ", ".join(f'"{name}"' for name in table.key)
            connection.execute(
                f'INSERT INTO "{table.name}" SELECT * FROM loose."{table.name}" ORDER BY {key}'  # noqa: S608 (names are ours, from the contracts)
            )
        for name in ("files", "build"):
            connection.execute(f"INSERT INTO lake_state.{name} SELECT * FROM loose.lake_state.{name}")  # noqa: S608 (names are ours, from the contracts)
        connection.commit()
        connection.execute("DETACH loose")
    _note_packed(connection, packed)
    os.replace(packed, path)


def _note_packed(connection: duckdb.DuckDBPyConnection, path: Path) -> None:
    with _writing(connection, path):
        connection.execute("UPDATE lake_state.build SET packed_bytes = ?", [path.stat().st_size])


@contextmanager
def _writing(connection: duckdb.DuckDBPyConnection, path: Path) -> Iterator[None]:
    """Make the connection use the private file at `path`; on leaving, everything is in that one file."""
    engine.attach(connection, path, read_only=False)
    connection.execute(f"USE {engine.CATALOG}")
    yield
    connection.execute("CHECKPOINT")
    connection.execute(f"USE memory; DETACH {engine.CATALOG}")


def _apply(connection: duckdb.DuckDBPyConnection, root: Path, change: Change) -> tuple[str, ...]:
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
