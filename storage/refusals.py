"""What DuckDB says about a typed query that fails, as one line with a cure."""

import re

from storage.errors import QueryRefused
from storage.names import suggest
from storage.sql_grammar import OUT_OF_REACH
from storage.tables import TABLES
from storage.views import VIEWS

ASK_LESS = "filter by ticker, or ask for less"
_LONGEST = 400


def refusal(message: str, sql: str) -> QueryRefused:
    """The error for what DuckDB said about `sql`, in its words."""
    lines = message.splitlines() or ["it failed"]
    problem = lines[0].removeprefix("Permission Error: ")[:_LONGEST]
    return QueryRefused(problem, cure=_cure(lines, problem, sql))


def _cure(lines: list[str], problem: str, sql: str) -> str:
    if lines[0].startswith("Permission Error: "):
        return OUT_OF_REACH
    if "memory" in problem.lower() or "bad allocation" in problem:
        return ASK_LESS
    if problem.startswith("Catalog Error: Table with name "):
        missing = problem.removeprefix("Catalog Error: Table with name ").split(" ")[0]
        return suggest(missing, [*TABLES, *(view.name for view in VIEWS)])
    hints = [line.strip() for line in lines[1:] if line.startswith(("Did you mean", "Candidate bindings"))]
    cure = hints[0] if hints else "correct the SQL; docs/tables.md lists tables and columns"
    unknown = re.search(r'column "([^"]+)" not found', problem)
    if unknown and _is_compared_to(unknown[1], sql):
        return f"text needs single quotes: '{unknown[1]}'; if a column was meant: {cure}"
    return cure


def _is_compared_to(name: str, sql: str) -> bool:
    """Whether the name stands where people write a value: behind a comparison or in a list."""
    return re.search(rf'([=<>]|\bLIKE|\bIN\s*\([^)]*)\s*"?{re.escape(name)}\b', sql, re.IGNORECASE) is not None
