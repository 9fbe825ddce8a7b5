from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest

from storage.errors import SchemaVersionMismatch
from storage.lake import Lake
from storage.migrations import MIGRATIONS, Migration, migrate, rewrite
from storage.tables import SCHEMA_VERSION
from storage.version import read_version
from tests.storage.frames import rows


def _in_cents(table: pa.Table) -> pa.Table:
    """A planted change of unit: closes become negative, once."""
    close = table["close"]
    if pc.max(close).as_py() < 0:  # already done
        return table
    position = table.schema.get_field_index("close")
    return table.set_column(position, table.schema.field(position), pc.negate(close))


def _negate_closes(root: Path) -> None:
    rewrite(root, "prices", _in_cents)


PLANTED = (
    Migration(SCHEMA_VERSION + 1, "closes become negative", _negate_closes),
    Migration(SCHEMA_VERSION + 2, "nothing", lambda _root: None),
)


@pytest.fixture
def filled(lake: Lake) -> Lake:
    for ticker in ("AAPL", "IBM", "MSFT"):
        lake.write("prices", rows("prices", ticker=ticker), ticker=ticker)
    return lake


def _closes(lake: Lake) -> list[float]:
    tables = [pq.read_table(path, partitioning=None) for path in sorted(lake.root.glob("prices/*.parquet"))]
    return [value for table in tables for value in table["close"].to_pylist()]


def test_a_current_lake_and_a_missing_one_need_nothing(filled: Lake, tmp_path: Path) -> None:
    assert migrate(filled.root) == []
    assert migrate(tmp_path / "none") == []
    assert len(MIGRATIONS) == SCHEMA_VERSION - 1


def test_every_step_is_taken_in_order_and_the_version_is_set(filled: Lake) -> None:
    before = _closes(filled)
    taken = migrate(filled.root, PLANTED[::-1], target=SCHEMA_VERSION + 2)
    assert [step.to for step in taken] == [SCHEMA_VERSION + 1, SCHEMA_VERSION + 2]
    assert read_version(filled.root) == SCHEMA_VERSION + 2
    assert _closes(filled) == [-close for close in before]


def test_a_migration_killed_in_the_middle_is_repeated_to_the_same_end(filled: Lake) -> None:
    before = _closes(filled)
    done: list[int] = []

    def die_at_the_second_file(table: pa.Table) -> pa.Table:
        if done:
            raise KeyboardInterrupt
        done.append(1)
        return _in_cents(table)

    dying = Migration(SCHEMA_VERSION + 1, "dies", lambda root: rewrite(root, "prices", die_at_the_second_file))
    with pytest.raises(KeyboardInterrupt):
        migrate(filled.root, [dying], target=SCHEMA_VERSION + 1)
    assert read_version(filled.root) == SCHEMA_VERSION
    assert sum(close < 0 for close in _closes(filled)) == 3

    migrate(filled.root, PLANTED, target=SCHEMA_VERSION + 1)
    assert _closes(filled) == [-close for close in before]
    assert read_version(filled.root) == SCHEMA_VERSION + 1


def test_a_lake_newer_than_the_program_is_refused_untouched(filled: Lake) -> None:
    migrate(filled.root, PLANTED, target=SCHEMA_VERSION + 1)
    before = _closes(filled)
    with pytest.raises(SchemaVersionMismatch, match=r"newer than this program's \d+ — update stock-assets"):
        migrate(filled.root)
    assert _closes(filled) == before


def test_a_gap_in_the_migrations_is_said(filled: Lake) -> None:
    with pytest.raises(SchemaVersionMismatch, match=r"no migration leads on from schema version \d+ of the lake"):
        migrate(filled.root, [], target=SCHEMA_VERSION + 1)
