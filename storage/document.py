"""`docs/tables.md` from the contracts: `python -m storage.document` writes it."""

from collections.abc import Iterable
from pathlib import Path

from storage import engine
from storage.ddl import create_all, view_columns
from storage.schema import Column, Table
from storage.tables import TABLES
from storage.views import VIEWS

DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "tables.md"

_INTRO = """# Tables

Made from `storage/tables.py` by `python -m storage.document`; do not edit.

Every table and view below is in `warehouse.duckdb`, with these texts as comments (`SELECT * FROM duckdb_columns()`).
`session` is the exchange's trading date; other times are UTC. Empty tables exist, typed. Only columns said to be
nullable may be null. A table is replaced partition by partition, or only ever appended to.
"""


def render_tables() -> str:
    """The whole document."""
    with engine.connect() as connection:
        connection.execute(f"ATTACH ':memory:' AS {engine.CATALOG}; USE {engine.CATALOG}")
        create_all(connection)
        views = [
            "\n".join([f"## {view.name}", "", f"View. {view.meaning}", "", *_columns(columns), ""])
            for view in VIEWS
            for columns in [view_columns(connection, view)]
        ]
    return "\n".join([_INTRO, _overview(), *map(_table_section, TABLES.values()), *views])


def _overview() -> str:
    tables = [f"| [{t.name}](#{t.name}) | {', '.join(t.key)} | {t.meaning} |" for t in TABLES.values()]
    views = [f"| [{v.name}](#{v.name}) | view | {v.meaning} |" for v in VIEWS]
    return "\n".join(["| table | key | what it holds |", "|---|---|---|", *tables, *views, ""])


def _table_section(table: Table) -> str:
    kept = "append-only" if table.append_only else f"replaced whole for each {' and '.join(table.partition_by)}"
    facts = f"Key: {', '.join(table.key)}. Written by: {table.writer}. Kept: {kept}."
    return "\n".join([f"## {table.name}", "", table.meaning, "", facts, "", *_columns(table.columns), ""])


def _columns(columns: Iterable[Column]) -> list[str]:
    rows = [
        f"| {c.name} | {c.type} | {c.unit or ''} | {'yes' if c.nullable else ''} | {c.meaning.replace('|', '/')} |"
        for c in columns
    ]
    return ["| column | type | unit | nullable | meaning |", "|---|---|---|---|---|", *rows]


def main(path: Path = DOCUMENT) -> None:
    """Write the document, into the project unless told otherwise."""
    path.write_text(render_tables(), encoding="utf-8")


if __name__ == "__main__":
    main()
