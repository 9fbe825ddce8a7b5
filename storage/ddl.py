"""The published database's tables, views and comments, from the contracts."""

import hashlib
import re

import duckdb

from storage.schema import Column, Table, View
from storage.tables import TABLES
from storage.views import VIEWS

# Which files of the lake the published rows came from. A schema of its own, so that nobody takes it for data.
_STATE = """
CREATE SCHEMA lake_state;
CREATE TABLE lake_state.files (
    path VARCHAR NOT NULL, inode UBIGINT NOT NULL, size BIGINT NOT NULL, mtime_ns BIGINT NOT NULL
);
CREATE TABLE lake_state.build (definition VARCHAR NOT NULL, packed_bytes BIGINT NOT NULL);
"""


def create_all(connection: duckdb.DuckDBPyConnection) -> None:
    """Create every table and view, with comments, in the current (empty) database."""
    connection.execute(_STATE)
    for table in TABLES.values():
        connection.execute(_create_table(table))
    for view in VIEWS:
        connection.execute(f"CREATE VIEW {quoted(view.name)} AS {view.sql}")
        connection.execute(f"COMMENT ON VIEW {quoted(view.name)} IS {_literal(view.meaning)}")
        for column in view_columns(connection, view):
            connection.execute(_comment_on(view.name, column))


def definition() -> str:
    """A hash that changes whenever the published database would be defined differently."""
    parts = [_STATE, *(_create_table(table) for table in TABLES.values()), *(repr(view) for view in VIEWS)]
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()


def view_columns(connection: duckdb.DuckDBPyConnection, view: View) -> list[Column]:
    """A view's columns in order: those of the same name in the tables it reads, and those it computes."""
    sources = [TABLES[word] for word in re.findall(r"\w+", view.sql) if word in TABLES]
    known = {column.name: column for table in reversed(sources) for column in table.columns}
    known |= {column.name: column for column in view.computed}
    names = connection.execute(
        "SELECT column_name FROM duckdb_columns() WHERE table_name = ? AND database_name = current_database() "
        "ORDER BY column_index",
        [view.name],
    ).fetchall()
    return [known[name] for (name,) in names]


def _create_table(table: Table) -> str:
    columns = ", ".join(f"{quoted(c.name)} {c.type}{'' if c.nullable else ' NOT NULL'}" for c in table.columns)
    statements = [
        f"CREATE TABLE {quoted(table.name)} ({columns})",
        f"COMMENT ON TABLE {quoted(table.name)} IS {_literal(table.meaning)}",
        *(_comment_on(table.name, column) for column in table.columns),
    ]
    return ";\n".join(statements)


def _comment_on(relation: str, column: Column) -> str:
    text = column.meaning + (f" [{column.unit}]" if column.unit else "")
    return f"COMMENT ON COLUMN {quoted(relation)}.{quoted(column.name)} IS {_literal(text)}"


def quoted(name: str) -> str:
    """A name as SQL takes it, whatever is in it."""
    return '"' + name.replace('"', '""') + '"'


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
