import threading
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from storage import engine, published
from storage.errors import DamagedGeneration, NothingPublished
from storage.published import Reader, generations
from storage.publisher import Publisher
from tests.storage.frames import rows


def test_nothing_published_is_said_with_the_cure(home: Path) -> None:
    with pytest.raises(NothingPublished, match=r"nothing has been published in .* — run `stock-assets run`"):
        Reader(home)


def test_only_generations_are_listed(home: Path) -> None:
    assert generations(home) == []
    folder = home / "published"
    folder.mkdir(parents=True)
    for name in ("0000000010.duckdb", "0000000009.duckdb", ".0000000011.duckdb.h.1.0.tmp", "served.json", "x.duckdb"):
        (folder / name).touch()
    assert generations(home) == [9, 10]


def test_one_published_file_is_read_like_a_home_and_counts_as_new_when_it_is_replaced(
    publisher: Publisher, tmp_path: Path
) -> None:
    publisher.lake.write("prices", rows("prices", 100), ticker="AAPL")
    alone = tmp_path / "elsewhere" / "desk.duckdb"
    alone.parent.mkdir()
    with pytest.raises(NothingPublished, match=r"there is no file .*desk\.duckdb"):
        Reader(alone)
    assert published.newest_generation(alone) is None
    alone.write_bytes(publisher.publish().path.read_bytes())
    before = published.newest_generation(alone)
    with Reader(alone) as reader:
        assert len(reader.frame("SELECT * FROM prices")) == 100
        assert reader.generation == before
    alone.write_bytes(alone.read_bytes())
    assert published.newest_generation(alone) != before


def test_a_generation_that_vanishes_before_it_is_opened_is_looked_for_again(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher.publish()
    real = published.generations
    listings = iter([[7], [8]])  # listed, and dropped by three publications before they could be opened
    monkeypatch.setattr(published, "generations", lambda home: next(listings, None) or real(home))
    with Reader(publisher.home) as reader:
        assert reader.generation == 1


CURE = r"0000000001\.duckdb cannot be read: [^\n]* — run `stock-assets publish` to make it anew$"


@pytest.mark.parametrize("left", [0, 5_000, 20_000])
def test_a_generation_cut_short_is_said_in_one_line_and_publish_makes_it_anew(publisher: Publisher, left: int) -> None:
    publisher.lake.write("prices", rows("prices", 100), ticker="AAPL")
    path = publisher.publish().path
    path.write_bytes(path.read_bytes()[:left])
    with pytest.raises(DamagedGeneration, match=CURE):
        Reader(publisher.home)
    assert publisher.publish().generation == 2
    with Reader(publisher.home) as reader:
        assert len(reader.frame("SELECT * FROM prices")) == 100


@pytest.mark.parametrize("damage", ["cut", "overwritten"])
def test_rows_that_cannot_be_read_are_said_in_one_line_and_a_rebuild_brings_them_back(
    publisher: Publisher, damage: str
) -> None:
    publisher.lake.write("prices", rows("prices", 2000), ticker="AAPL")
    path = publisher.publish().path
    whole = path.read_bytes()
    half = whole[: len(whole) // 2]
    path.write_bytes(half if damage == "cut" else _without_rows(whole, path))
    with Reader(publisher.home) as reader, pytest.raises(DamagedGeneration, match=CURE):
        reader.frame("SELECT * FROM prices")
    publisher.rebuild()
    with Reader(publisher.home) as reader:
        assert len(reader.frame("SELECT * FROM prices")) == 2000


def _without_rows(database: bytes, path: Path) -> bytes:
    """The same file, the block that holds the first prices overwritten: its checksum no longer fits."""
    with duckdb.connect(str(path), read_only=True) as connection:
        found = connection.execute("SELECT min(block_id) FROM pragma_storage_info('prices') WHERE block_id >= 0")
        (block,) = found.fetchall()[0]
    start = 3 * 4096 + block * 2**18 + 1000  # three headers, then blocks of 256 KiB
    return database[:start] + bytes(500) + database[start + 500 :]


def test_a_mistaken_query_of_ours_is_no_damage(publisher: Publisher) -> None:
    publisher.publish()
    with Reader(publisher.home) as reader, pytest.raises(duckdb.BinderException, match="no_such_column"):
        reader.frame("SELECT no_such_column FROM prices")


def test_frames_have_our_types(publisher: Publisher) -> None:
    publisher.lake.write("prices", rows("prices", 2, dividends=float("nan")), ticker="AAPL")
    publisher.lake.write("tickers", rows("tickers", 1, reason=None), ticker="AAPL")
    publisher.publish()
    with Reader(publisher.home) as reader:
        assert reader.frame("SELECT * FROM prices").dtypes.equals(rows("prices").dtypes)
        row = reader.frame("SELECT * FROM tickers")
        assert row.dtypes.equals(rows("tickers").dtypes)
        assert row["reason"].isna().all()
        assert reader.frame("SELECT session FROM prices WHERE session = ?", [pd.Timestamp("2024-01-02")]).shape == (
            1,
            1,
        )


def test_dates_nanoseconds_cannot_hold_come_as_they_are() -> None:
    with engine.connect() as connection:
        frame = engine.fetch(connection.execute("SELECT DATE '9999-12-31' AS d"))
    assert frame["d"].astype(str).tolist() == ["9999-12-31"]


def test_threads_may_share_a_reader(publisher: Publisher) -> None:
    publisher.lake.write("prices", rows("prices", 100), ticker="AAPL")
    publisher.publish()
    counts: list[int] = []
    with Reader(publisher.home) as reader:

        def count() -> None:
            counts.extend(len(reader.frame("SELECT session FROM prices")) for _ in range(10))

        threads = [threading.Thread(target=count) for _ in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert counts == [100] * 40


def test_our_connections_spill_nowhere_and_download_nothing() -> None:
    with engine.connect() as connection:
        settings = dict(connection.execute("SELECT name, value FROM duckdb_settings()").fetchall())
    assert settings["autoinstall_known_extensions"] == "false"
    assert settings["autoload_known_extensions"] == "false"
    assert settings["temp_directory"] in ("", None)
    assert settings["TimeZone"] == "UTC"
