import threading
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from storage import engine, published
from storage.errors import NothingPublished
from storage.published import Reader, generation_path, generations
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


def test_a_generation_that_vanishes_before_it_is_opened_is_looked_for_again(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    publisher.publish()
    real = published.generations
    listings = iter([[7], [8]])  # listed, and dropped by three publications before they could be opened
    monkeypatch.setattr(published, "generations", lambda home: next(listings, None) or real(home))
    with Reader(publisher.home) as reader:
        assert reader.generation == 1


def test_a_generation_that_cannot_be_read_is_not_hidden(publisher: Publisher) -> None:
    publisher.publish()
    generation_path(publisher.home, 1).write_bytes(b"x" * 20_000)
    with pytest.raises(duckdb.IOException, match="not a valid DuckDB database file"):
        Reader(publisher.home)


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
