from pathlib import Path

from storage import document
from storage.tables import TABLES
from storage.views import VIEWS


def test_the_document_of_the_tables_is_fresh() -> None:
    assert document.DOCUMENT.read_text(encoding="utf-8") == document.render_tables(), "run `python -m storage.document`"


def test_every_table_view_column_and_unit_is_in_it() -> None:
    text = document.render_tables()
    for name in (*TABLES, *(view.name for view in VIEWS)):
        assert f"\n## {name}\n" in text
    for table in TABLES.values():
        section = text.split(f"\n## {table.name}\n")[1].split("\n## ")[0]
        for column in table.columns:
            assert f"| {column.name} | {column.type} | {column.unit or ''} |" in section


def test_the_command_writes_what_is_rendered(tmp_path: Path) -> None:
    document.main(tmp_path / "tables.md")
    assert (tmp_path / "tables.md").read_text(encoding="utf-8") == document.render_tables()
