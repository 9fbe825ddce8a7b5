"""The database file of one generation, while it is private: created, updated, packed.

What belongs here: what happens inside the file. What does not: where it goes afterwards (`publisher.py`).
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb

from storage import changes, engine
from storage.changes import Change, State
from storage.ddl import create_all, definition
from storage.files import temporary_for
from storage.tables import TABLES

# Replaced rows leave holes. The file is packed anew when it is this much larger than after the last packing.
_BLOAT_FACTOR = 2
_BLOAT_FLOOR = 32 * 2**20


def state_of(connection: duckdb.DuckDBPyConnection, path: Path) -> State | None:
    """The lake files a generation was made from; None if it is damaged or was defined by other contracts."""
    try:
        engine.attach(connection, path, read_only=True)
    except duckdb.Error:
        return None
    try:
        built = connection.execute("SELECT definition FROM warehouse.lake_state.build").fetchone()
        return changes.read_state(connection) if built == (definition(),) else None
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
    return tuple(path for change in todo for path in changes.apply(connection, root, change))


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
