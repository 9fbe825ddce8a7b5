import pytest

from storage import version
from storage.errors import SchemaVersionMismatch
from storage.lake import Lake
from storage.tables import SCHEMA_VERSION
from tests.storage.frames import rows


def test_the_first_write_sets_the_version_and_opening_sets_nothing(lake: Lake) -> None:
    assert not lake.root.exists()
    assert version.read_version(lake.root) is None
    lake.write("prices", rows("prices"), ticker="AAPL")
    assert version.read_version(lake.root) == SCHEMA_VERSION


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"schema_version": 0}', r"has schema version 0, this program expects \d+ — run `stock-assets migrate`"),
        ('{"schema_version": 99}', r"has schema version 99, newer than this program's \d+ — update stock-assets"),
        ('{"schema_version": "1"}', r"says version '1', expected a number — correct the file"),
        ("[]", r"is damaged: .* — write"),
        ("{", r"is damaged: .* — write"),
    ],
)
def test_a_lake_of_another_version_is_refused_when_opened_and_by_those_who_have_it_open(
    lake: Lake, text: str, message: str
) -> None:
    lake.write("prices", rows("prices"), ticker="AAPL")
    (lake.root / version.FILE).write_text(text)
    with pytest.raises(SchemaVersionMismatch, match=message):
        Lake(lake.root)
    with pytest.raises(SchemaVersionMismatch, match=message):
        lake.write("prices", rows("prices", 1), ticker="AAPL")
    with pytest.raises(SchemaVersionMismatch, match=message):
        lake.read("prices")


def test_tables_without_a_version_are_refused(lake: Lake) -> None:
    lake.write("prices", rows("prices"), ticker="AAPL")
    (lake.root / version.FILE).unlink()
    with pytest.raises(SchemaVersionMismatch, match=r"has tables but no schema_version.json — restore"):
        Lake(lake.root)
