"""Typed SQL: one SELECT on the newest generation, in a sandbox that reaches no file, no network and no setting."""

import re
from concurrent.futures import ThreadPoolExecutor, wait
from pathlib import Path

import duckdb
import pandas as pd

from storage import engine
from storage.errors import QueryRefused
from storage.names import suggest
from storage.published import open_newest
from storage.tables import TABLES
from storage.views import VIEWS

MAX_ROWS = 10_000
TIMEOUT_SECONDS = 60.0
_MEMORY_LIMIT = "2GB"


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
        try:
            frame = _fetch(connection, sql, max_rows, timeout)
        except duckdb.Error as error:
            raise _refusal(error, sql) from error
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


def _fetch(
    connection: duckdb.DuckDBPyConnection, sql: str, max_rows: int | None, timeout: float | None
) -> pd.DataFrame:
    """Rows, fetched in a thread: while DuckDB works, the thread it works in sees no Ctrl-C; one that waits does."""

    def work() -> pd.DataFrame:
        rows = connection.sql(_one_select(sql))
        return engine.fetch(rows if max_rows is None else rows.limit(max_rows + 1))

    with ThreadPoolExecutor(max_workers=1) as pool:
        fetched = pool.submit(work)
        try:
            return fetched.result(timeout)
        except TimeoutError as error:
            problem = f"the query took longer than {timeout:g} s"
            raise QueryRefused(problem, cure="filter by ticker, or ask for less") from error
        finally:
            while not fetched.done():  # again and again: what comes before the query runs is forgotten
                connection.interrupt()
                wait([fetched], timeout=0.05)


def _refusal(error: duckdb.Error, sql: str) -> QueryRefused:
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
