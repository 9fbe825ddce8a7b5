"""What one typed query may contain. Judged on DuckDB's own parse of it, before anything is looked up or run.

The locks of `sql_worker.py` hold whether or not this file has forgotten something.
"""

import json
from collections.abc import Iterator
from typing import Any

import duckdb

from storage.errors import QueryRefused

# DuckDB has some sixty more, which read files, tell settings and paths, or run SQL that is text.
TABLE_FUNCTIONS = frozenset(
    {
        *("range", "generate_series", "repeat", "repeat_row", "unnest", "json_each", "json_tree"),
        *("histogram", "histogram_values", "summary"),
        *("duckdb_columns", "duckdb_tables", "duckdb_views", "pragma_table_info"),
    }
)
_CATALOGS = ("duckdb_", "pg_", "pragma_", "sqlite_")
_SETTINGS = frozenset({"current_setting"})
OUT_OF_REACH = "files, extensions and settings are out of reach here; query the published tables"


def check(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    """Refuse all but one statement that only reads what is published: `QueryRefused`; `duckdb.Error` if it is none."""
    _check_one_select(connection, sql)
    ((text,),) = connection.execute("SELECT json_serialize_sql(?)", [sql]).fetchall()
    parsed = json.loads(text)
    if parsed["error"]:
        raise QueryRefused(str(parsed["error_message"]), cure="only reading is possible here; begin with SELECT")
    for node in _nodes(parsed):
        _check_node(node)


def _check_one_select(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    statements = connection.extract_statements(sql)
    if not statements:
        raise QueryRefused("the query is empty, expected one SELECT statement", cure="begin with: FROM tickers")
    if len(statements) != 1:
        raise QueryRefused(f"expected exactly one SELECT statement, found {len(statements)}", cure="send one at a time")
    kind = _kind(statements[0])
    if kind != "SELECT":
        problem = f"expected a SELECT statement, found {kind}"
        raise QueryRefused(problem, cure="only reading is possible here; begin with SELECT")


def _kind(statement: duckdb.Statement) -> str:
    try:
        return statement.type.name
    except ValueError:  # one that DuckDB's Python has no name for, such as UPDATE EXTENSIONS
        return "another one"


def _nodes(parsed: object) -> Iterator[dict[str, Any]]:
    todo = [parsed]
    while todo:
        part = todo.pop()
        if isinstance(part, dict):
            yield part
        todo.extend(part.values() if isinstance(part, dict) else part if isinstance(part, list) else ())


def _check_node(node: dict[str, Any]) -> None:
    kind = str(node.get("type", ""))
    if kind.endswith("_QUERY_NODE"):  # a WITH may hold a COPY, INSERT, UPDATE or DELETE
        verb = kind.removesuffix("_QUERY_NODE")
        raise QueryRefused(f"WITH … AS ({verb} …) writes", cure="only reading is possible here; leave it out")
    if kind == "TABLE_FUNCTION":
        name = str(node["function"]["function_name"]).lower()
        if name not in TABLE_FUNCTIONS:
            raise QueryRefused(f"{name}(…) is not readable here", cure=OUT_OF_REACH)
    if kind == "BASE_TABLE":
        name = str(node["table_name"]).lower()
        if name.startswith(_CATALOGS) and name not in TABLE_FUNCTIONS:
            raise QueryRefused(f"{name} is not readable here", cure=OUT_OF_REACH)
    if kind == "FUNCTION" and str(node["function_name"]).lower() in _SETTINGS:
        raise QueryRefused(f"{node['function_name']}(…) tells settings, which are not readable here", cure=OUT_OF_REACH)
