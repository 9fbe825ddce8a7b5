"""A damaged file of the lake: everybody else's rows are published, its last good rows stay, and it is named."""

from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage import publisher as publishing
from storage.errors import ContractViolation
from storage.lake import Lake
from storage.layout import scan
from storage.parquet import CURE_OF_DAMAGE
from storage.published import Reader
from storage.publisher import Publisher
from storage.tables import TABLES
from tests.storage.frames import rows


def _prices(ticker: str, level: float, n: int = 3) -> pd.DataFrame:
    return rows("prices", n, ticker=ticker, close=level)


def _published(home: Path) -> dict[str, list[float]]:
    with Reader(home) as reader:
        found = reader.frame("SELECT ticker, close FROM prices ORDER BY ALL")
    return {str(ticker): closes.tolist() for ticker, closes in found.groupby("ticker")["close"]}


def _forecasts(home: Path) -> int:
    with Reader(home) as reader:
        return len(reader.frame("SELECT * FROM forecasts"))


def _cut(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-20])


def _foreign_columns(path: Path) -> None:
    pq.write_table(pa.table({"x": [1]}), path)


def _rows_of_another(path: Path) -> None:
    path.write_bytes((path.parent / "ticker=AAPL.parquet").read_bytes())


def _a_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


@pytest.fixture
def msft(publisher: Publisher) -> Path:
    """The file of MSFT's prices, published beside AAPL's."""
    publisher.lake.write("prices", _prices("AAPL", 1.0), ticker="AAPL")
    path = publisher.lake.write("prices", _prices("MSFT", 2.0), ticker="MSFT")
    publisher.publish()
    return path


@pytest.mark.parametrize("damage", [_cut, _foreign_columns, _rows_of_another, _a_folder])
def test_a_damaged_file_stops_nobody_else_and_its_last_good_rows_stay(
    publisher: Publisher, msft: Path, damage: Callable[[Path], None]
) -> None:
    damage(msft)
    publisher.lake.write("prices", _prices("AAPL", 7.0, n=4), ticker="AAPL")
    published = publisher.publish()
    assert published.damaged == (msft,)
    assert published.warnings == (f"{msft} is damaged and was not published: {CURE_OF_DAMAGE}",)
    assert published.changed == ("prices/ticker=AAPL.parquet",)
    assert _published(publisher.home) == {"AAPL": [7.0] * 4, "MSFT": [2.0] * 3}
    with pytest.raises(ContractViolation, match=r"ticker=MSFT.parquet .* — restore the file from a backup, or delete"):
        publisher.lake.read("prices", ticker="MSFT")


def test_with_nothing_but_a_damaged_file_there_is_no_new_generation_and_it_is_named_again(
    publisher: Publisher, msft: Path
) -> None:
    _cut(msft)
    for _ in range(2):
        published = publisher.publish()
        assert (published.generation, published.changed, published.damaged) == (1, (), (msft,))
    assert [path.name for path in (publisher.home / "published").glob("*.duckdb*")] == ["0000000001.duckdb"]


@pytest.mark.parametrize("by", ["writing it", "a backup"])
def test_a_repaired_file_is_published_once(publisher: Publisher, msft: Path, by: str) -> None:
    backup = msft.read_bytes()
    _cut(msft)
    publisher.lake.write("prices", _prices("AAPL", 7.0), ticker="AAPL")
    publisher.publish()
    if by == "a backup":
        msft.write_bytes(backup)
    else:
        publisher.lake.write("prices", _prices("MSFT", 9.0), ticker="MSFT")
    published = publisher.publish()
    assert (published.changed, published.damaged) == (("prices/ticker=MSFT.parquet",), ())
    assert _published(publisher.home) == {"AAPL": [7.0] * 3, "MSFT": [2.0 if by == "a backup" else 9.0] * 3}
    assert publisher.publish().changed == ()


def test_deleting_the_damaged_file_takes_its_rows_out(publisher: Publisher, msft: Path) -> None:
    _cut(msft)
    publisher.publish()
    msft.unlink()
    published = publisher.publish()
    assert (published.changed, published.damaged) == (("prices/ticker=MSFT.parquet",), ())
    assert _published(publisher.home) == {"AAPL": [1.0] * 3}


def test_a_rebuild_skips_and_names_it_and_the_repaired_file_is_published(publisher: Publisher, msft: Path) -> None:
    _cut(msft)
    rebuilt = publisher.rebuild()
    assert (rebuilt.generation, rebuilt.damaged) == (2, (msft,))
    assert _published(publisher.home) == {"AAPL": [1.0] * 3}
    publisher.lake.write("prices", _prices("MSFT", 9.0), ticker="MSFT")
    assert publisher.publish().damaged == ()
    assert _published(publisher.home) == {"AAPL": [1.0] * 3, "MSFT": [9.0] * 3}


def _append(lake: Lake, n: int, seed: int) -> Path:
    """Append `n` forecasts; the new file."""
    lake.append("forecasts", rows("forecasts", n, seed=seed))
    return lake.root / max(scan(lake.root, TABLES["forecasts"]))


def test_a_new_append_that_is_damaged_is_skipped_until_it_is_repaired(publisher: Publisher) -> None:
    _append(publisher.lake, 2, seed=1)
    publisher.publish()
    bad = _append(publisher.lake, 3, seed=2)
    good = bad.read_bytes()
    _cut(bad)
    _append(publisher.lake, 4, seed=3)
    assert publisher.publish().damaged == (bad,)
    assert _forecasts(publisher.home) == 6
    bad.write_bytes(good)
    assert publisher.publish().damaged == ()
    assert _forecasts(publisher.home) == 9


def test_a_published_append_that_becomes_damaged_keeps_its_rows_until_it_is_repaired(publisher: Publisher) -> None:
    bad = _append(publisher.lake, 2, seed=1)
    good = bad.read_bytes()
    publisher.publish()
    _cut(bad)
    assert publisher.publish().generation == 1
    _append(publisher.lake, 4, seed=3)
    published = publisher.publish()
    assert (published.damaged, len(published.changed)) == ((bad,), 1)
    assert _forecasts(publisher.home) == 6
    bad.write_bytes(good)
    assert publisher.publish().damaged == ()
    assert _forecasts(publisher.home) == 6
    bad.unlink()
    publisher.publish()
    assert _forecasts(publisher.home) == 4


def test_a_table_due_for_compaction_is_published_although_one_of_its_files_is_damaged(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(publishing, "COMPACT_ABOVE", 1)
    bad = _append(publisher.lake, 2, seed=1)
    _cut(bad)
    _append(publisher.lake, 3, seed=2)
    assert publisher.publish().damaged == (bad,)
    assert _forecasts(publisher.home) == 3
