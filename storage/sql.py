"""Typed SQL: one SELECT on the newest generation, in a sandbox that reaches no file, no network and no setting."""

import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pandas as pd

from storage import engine
from storage.errors import QueryRefused
from storage.names import suggest
from storage.published import open_newest
from storage.tables import TABLES, VIEWS

MAX_ROWS = 10_000
TIMEOUT_SECONDS = 60.0
_MEMORY_LIMIT = "2GB"
# How DuckDB's Python binding reports Ctrl-C: not as a KeyboardInterrupt, nor as an error of its own tree.
_CTRL_C = "Query interrupted"


def run_select(
    sql: str, home: Path, max_rows: int | None = MAX_ROWS, *, timeout: float | None = TIMEOUT_SECONDS
) -> pd.DataFrame:
    """Run somebody's SQL and return its rows.

    Args:
        sql: exactly one SELECT statement (WITH …, FROM-first, VALUES, DESCRIBE and SHOW are SELECTs to DuckDB).
        home: folder of all state; the newest generation answers, while anything may be written meanwhile.
        max_rows: rows returned at most; `frame.attrs["truncated"]` says whether there were more. None for all.
        timeout: seconds after which the query is stopped; None for never.

    Raises:
        QueryRefused: not exactly one SELECT, or DuckDB refused it; one line and a cure.
        NothingPublished: there is nothing to query yet.
        KeyboardInterrupt: somebody pressed Ctrl-C; the query is stopped.
    """
    _, connection = open_newest(home, memory_limit=_MEMORY_LIMIT)
    with connection:
        # No directory is allowed: with one, COPY … TO it would overwrite data.
        connection.execute("SET enable_external_access = false")
        connection.execute("SET lock_configuration = true")
        with _stopped_after(timeout, connection):
            try:
                rows = connection.sql(_one_select(sql))
                frame = engine.fetch(rows if max_rows is None else rows.limit(max_rows + 1))
            except duckdb.Error as error:
                raise _refusal(error, sql, timeout) from error
            except RuntimeError as error:
                if str(error) != _CTRL_C:
                    raise
                raise KeyboardInterrupt from error
    shown = frame if max_rows is None else frame.head(max_rows)
    shown.attrs["truncated"] = len(shown) < len(frame)
    return shown


def _one_select(sql: str) -> duckdb.Statement:
    statements = duckdb.extract_statements(sql)
    if not statements:
        raise QueryRefused("the query is empty, expected one SELECT statement", cure="begin with: FROM tickers")
    if len(statements) != 1:
        raise QueryRefused(f"expected exactly one SELECT statement, found {len(statements)}", cure="send one at a time")
    kind = statements[0].type
    if kind != duckdb.StatementType.SELECT:
        raise QueryRefused(
            f"expected a SELECT statement, found {kind.name}", cure="only reading is possible here; begin with SELECT"
        )
    return statements[0]


@contextmanager
def _stopped_after(seconds: float | None, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
    if seconds is None:
        yield
        return
    timer = threading.Timer(seconds, connection.interrupt)
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _refusal(error: duckdb.Error, sql: str, timeout: float | None) -> QueryRefused:
    if isinstance(error, duckdb.InterruptException):
        return QueryRefused(f"the query took longer than {timeout:g} s", cure="filter by ticker, or ask for less")
    lines = str(error).splitlines()
    problem = lines[0].removeprefix("Permission Error: ")
    return QueryRefused(problem, cure=_cure(problem, lines[1:], error, sql))


def _cure(problem: str, rest: list[str], error: duckdb.Error, sql: str) -> str:
    if isinstance(error, duckdb.PermissionException):
        return "files, extensions and settings are out of reach here; query the published tables"
    if problem.startswith("Catalog Error: Table with name "):
        missing = problem.removeprefix("Catalog Error: Table with name ").split(" ")[0]
        return suggest(missing, [*TABLES, *(view.name for view in VIEWS)])
    hints = [line.strip() for line in rest if line.startswith(("Did you mean", "Candidate bindings"))]
    cure = hints[0] if hints else "correct the SQL; docs/tables.md lists tables and columns"
    unknown = re.search(r'column "([^"]+)" not found', problem)
    if unknown and _is_compared_to(unknown[1], sql):
        return f"text needs single quotes: '{unknown[1]}'; if a column was meant: {cure}"
    return cure


def _is_compared_to(name: str, sql: str) -> bool:
    """Whether the name stands where people write a value: behind a comparison or in a list."""
    return re.search(rf'([=<>]|\bLIKE|\bIN\s*\([^)]*)\s*"?{re.escape(name)}\b', sql, re.IGNORECASE) is not None
