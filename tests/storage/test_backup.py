"""Backups of a home in use, and homes restored from them."""

import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from storage.backup import Content, back_up
from storage.errors import BackupRefused
from storage.lake import Lake
from storage.publisher import Publisher
from storage.restoring import relocate, restore
from storage.sql import run_select
from storage.tables import TABLES
from tests.storage.frames import partition, rows
from tests.storage.processes import start, work_until_killed

NOW = datetime(2024, 5, 6, 7, 8, tzinfo=UTC)


def save(home: Path, file: Path) -> Content:
    return back_up(home, file, made_at=NOW, progress=lambda _: None)


def put_back(file: Path, home: Path) -> None:
    restore(file, home, progress=lambda _: None)


@pytest.fixture
def full_home(home: Path) -> Path:
    """Every table with rows, published; a model in use, a report, and folders for databases."""
    lake = Lake(home / "lake")
    for name, table in TABLES.items():
        if table.append_only:
            lake.append(name, rows(name))
        else:
            lake.write(name, rows(name), **partition(name))
    model = home / "models" / "ticker=AAPL" / "sarima"
    (model / "abc").mkdir(parents=True)
    (model / "abc" / "manifest.json").write_text("{}")
    (model / "current.json").write_text('{"final": "abc"}')
    (home / "mlflow").mkdir()
    (home / "evidently").mkdir()
    (home / "evidently" / "report.json").write_text("[1]")
    (home / "dagster").mkdir()
    lake.append("forecasts", rows("forecasts", seed=1))
    Publisher(home).publish()
    return home


def test_a_home_restored_elsewhere_has_every_row_and_file(full_home: Path, tmp_path: Path) -> None:
    database = full_home / "dagster" / "runs.db"
    with closing(sqlite3.connect(database)) as writer:
        writer.execute("PRAGMA journal_mode = WAL")
        writer.execute("CREATE TABLE runs (id TEXT)")
        writer.execute("INSERT INTO runs VALUES ('finished')")
        writer.commit()
        writer.execute("INSERT INTO runs VALUES ('unfinished')")
        content = save(full_home, tmp_path / "b.tar.gz")
    other = tmp_path / "another place"
    put_back(tmp_path / "b.tar.gz", other)

    there = [path for path in other.rglob("*") if path.is_file()]
    assert content.files == len(there)
    assert content.size == sum(path.stat().st_size for path in there)
    assert sorted(path.name for path in other.iterdir()) == ["dagster", "evidently", "lake", "models"]
    for name in TABLES:
        pd.testing.assert_frame_equal(Lake(other / "lake").read(name), Lake(full_home / "lake").read(name))
    for name in ("models/ticker=AAPL/sarima/abc/manifest.json", "models/ticker=AAPL/sarima/current.json"):
        assert (other / name).read_bytes() == (full_home / name).read_bytes()
    assert (other / "evidently" / "report.json").read_text() == "[1]"
    with closing(sqlite3.connect(other / "dagster" / "runs.db")) as reader:
        assert reader.execute("SELECT id FROM runs").fetchall() == [("finished",)]
    Publisher(other).rebuild()
    for name in ("forecasts", "leaderboard", "prices"):
        asked = f"SELECT * FROM {name} ORDER BY ALL"  # noqa: S608 (names of ours)
        pd.testing.assert_frame_equal(run_select(asked, other), run_select(asked, full_home))


def test_what_is_made_anew_and_what_is_unfinished_stays_out(full_home: Path, tmp_path: Path) -> None:
    (full_home / "models" / "ticker=AAPL" / "sarima" / ".writing-1-xyz").mkdir()
    (full_home / "models" / "ticker=AAPL" / "sarima" / ".writing-1-xyz" / "weights").write_text("half")
    (full_home / "lake" / "prices" / ".x.parquet.some-host.1.0.tmp").write_text("half")
    (full_home / "warehouse.duckdb.wal.2024.aside").write_text("somebody's")
    save(full_home, tmp_path / "b.tar.gz")
    put_back(tmp_path / "b.tar.gz", tmp_path / "other")
    left = {path.name for path in (tmp_path / "other").rglob("*")}
    assert not left & {".locks", "published", "warehouse.duckdb", "weights", ".writing-1-xyz"}
    assert not [name for name in left if name.endswith((".tmp", ".aside", ".lock", ".gate"))]
    assert not [path for path in full_home.iterdir() if path.name.startswith(".backup")], "the staging folder is gone"


def test_texts_that_lead_into_the_old_home_lead_into_the_new_one(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database, database:
        database.execute('CREATE TABLE "my runs" (n INTEGER, "artifact uri" VARCHAR(200), note TEXT, body BLOB)')
        values = [
            (1, "file:///old%20home/mlflow/1", "/old home", b"/old home"),
            (2, "/old home/mlflow/2", "see /old home/x", None),
            (3, "/old home of mine/3", None, None),
        ]
        database.executemany('INSERT INTO "my runs" VALUES (?, ?, ?, ?)', values)
    assert relocate(tmp_path / "mlflow.db", "/old home", "/new & home") == 3
    with closing(sqlite3.connect(tmp_path / "mlflow.db")) as database:
        assert database.execute('SELECT * FROM "my runs" ORDER BY n').fetchall() == [
            (1, "file:///new%20%26%20home/mlflow/1", "/new & home", b"/old home"),
            (2, "/new & home/mlflow/2", "see /old home/x", None),
            (3, "/old home of mine/3", None, None),
        ]


def test_databases_of_a_restored_home_know_where_they_are(full_home: Path, tmp_path: Path) -> None:
    with closing(sqlite3.connect(full_home / "mlflow" / "mlflow.db")) as database, database:
        database.execute("CREATE TABLE runs (artifact_uri VARCHAR(200))")
        database.execute("INSERT INTO runs VALUES (?)", [str(full_home / "mlflow" / "artifacts")])
    save(full_home, tmp_path / "b.tar.gz")
    put_back(tmp_path / "b.tar.gz", tmp_path / "other")
    with closing(sqlite3.connect(tmp_path / "other" / "mlflow" / "mlflow.db")) as database:
        ((uri,),) = database.execute("SELECT artifact_uri FROM runs").fetchall()
    assert uri == str(tmp_path / "other" / "mlflow" / "artifacts")


def test_a_snapshot_finishes_a_compaction_that_was_killed(full_home: Path, tmp_path: Path) -> None:
    folder = full_home / "lake" / "forecasts"
    old = sorted(path.name for path in folder.glob("[!.]*.parquet"))
    before = Lake(full_home / "lake").read("forecasts")
    other = Lake(tmp_path / "scratch")
    other.append("forecasts", before)
    (merged,) = (tmp_path / "scratch" / "forecasts").glob("[!.]*.parquet")
    merged.rename(folder / merged.name)
    names = {"staged": "gone", "final": merged.name, "merged": old}
    (folder / ".compaction.json").write_text(json.dumps(names))
    save(full_home, tmp_path / "b.tar.gz")
    put_back(tmp_path / "b.tar.gz", tmp_path / "other")
    pd.testing.assert_frame_equal(Lake(tmp_path / "other" / "lake").read("forecasts"), before)


def test_a_backup_is_refused_where_it_would_do_harm_or_no_good(full_home: Path, tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.write_text("mine")
    with pytest.raises(BackupRefused, match="exists already"):
        save(full_home, there)
    assert there.read_text() == "mine"
    with pytest.raises(BackupRefused, match="lies in the home"):
        save(full_home, full_home / "b.tar.gz")
    with pytest.raises(BackupRefused, match="there is no folder"):
        save(full_home, tmp_path / "none" / "b.tar.gz")
    with pytest.raises(BackupRefused, match="nothing to back up"):
        save(tmp_path / "empty", tmp_path / "b.tar.gz")
    assert not (tmp_path / "empty").exists()


def test_a_backup_that_cannot_be_finished_leaves_nothing(full_home: Path, tmp_path: Path) -> None:
    class Stop(RuntimeError):
        pass

    def stop(what: str) -> None:
        if what == "models":
            raise Stop("the disk is full")

    (tmp_path / "out").mkdir()
    with pytest.raises(Stop, match="the disk is full"):
        back_up(full_home, tmp_path / "out" / "b.tar.gz", made_at=NOW, progress=stop)
    assert not list((tmp_path / "out").iterdir())
    assert not [path for path in full_home.iterdir() if path.name.startswith(".backup")]


@pytest.mark.slow
def test_backups_while_others_write_compact_and_publish_are_whole(home: Path, tmp_path: Path) -> None:
    home.mkdir()
    workers = [start(work_until_killed, home, seed) for seed in (1, 2)]
    try:
        while not Lake(home / "lake").partitions("predictions"):
            assert all(worker.is_alive() for worker in workers)
        for number in range(5):
            file = tmp_path / f"{number}.tar.gz"
            save(home, file)
            other = tmp_path / f"restored {number}"
            put_back(file, other)
            published = Publisher(other).rebuild()
            assert not published.damaged
            torn = "SELECT ticker FROM prices GROUP BY ticker HAVING count(DISTINCT volume) > 1 OR count(*) <> 20"
            assert run_select(torn, other).empty
            assert Lake(other / "lake").read("forecasts")["forecast_id"].is_unique
        assert all(worker.is_alive() for worker in workers)
    finally:
        for worker in workers:
            worker.kill()
            worker.join()
