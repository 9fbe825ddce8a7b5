import errno
import json
import os
import shutil
import threading
from pathlib import Path

import duckdb
import pandas as pd
import pytest

from storage import build, queries
from storage import publisher as publishing
from storage.engine import connect
from storage.lake import Lake
from storage.layout import scan
from storage.published import Reader, generation_path, generations
from storage.publisher import Publisher
from storage.tables import TABLES
from storage.views import VIEWS
from tests.storage.frames import partition, rows


def _fill(lake: Lake, seed: int = 0, ticker: str = "AAPL") -> None:
    for name, table in TABLES.items():
        fixed = {"ticker": ticker} if "ticker" in table.column_names else {}
        if table.append_only:
            lake.append(name, rows(name, 4, seed=seed, **fixed))
        else:
            lake.write(name, rows(name, 4, seed=seed, **fixed), **partition(name, ticker))


def _assert_published_equals_lake(home: Path) -> None:
    """The oracle: every table, read from the lake without DuckDB."""
    lake = Lake(home / "lake")
    with Reader(home) as reader:
        for name, table in TABLES.items():
            keys = ", ".join(table.key)
            published = reader.frame(f'SELECT * FROM "{name}" ORDER BY {keys}')  # noqa: S608 (names of ours)
            pd.testing.assert_frame_equal(published, lake.read(name), obj=name)


def test_an_empty_home_publishes_every_table_typed_and_every_view(publisher: Publisher) -> None:
    assert publisher.publish().generation == 1
    _assert_published_equals_lake(publisher.home)
    with Reader(publisher.home) as reader:
        for view in VIEWS:
            assert queries.relation(reader, view.name).empty


def test_what_is_published_is_what_is_in_the_lake_after_each_kind_of_change(publisher: Publisher) -> None:
    lake = publisher.lake
    _fill(lake)
    _fill(lake, ticker="^GSPC")
    publisher.publish()
    _assert_published_equals_lake(publisher.home)

    lake.write("prices", rows("prices", 9, seed=5), ticker="AAPL")  # replaced
    sarima = rows("predictions", 2, model="sarima")
    lake.write("predictions", sarima, **partition("predictions", model="sarima"))  # added
    lake.delete("features", ticker="AAPL")  # deleted
    lake.append("forecasts", rows("forecasts", 3, seed=8))  # appended
    published = publisher.publish()
    _assert_published_equals_lake(publisher.home)
    assert published.changed[:2] == ("prices/ticker=AAPL.parquet", "features/ticker=AAPL.parquet")
    assert len(published.changed) == 4

    lake.compact("forecasts")
    lake.delete("splits", ticker="AAPL")
    lake.delete("splits", ticker="^GSPC")
    publisher.publish()
    _assert_published_equals_lake(publisher.home)


def test_nothing_new_publishes_nothing_but_a_missing_copy_for_people_is_put_back(publisher: Publisher) -> None:
    _fill(publisher.lake)
    first = publisher.publish()
    again = publisher.publish()
    assert (again.generation, again.path, again.changed) == (first.generation, first.path, ())
    warehouse = publisher.home / "warehouse.duckdb"
    warehouse.unlink()
    assert publisher.publish().generation == first.generation
    assert warehouse.read_bytes() == first.path.read_bytes()


def test_a_copy_for_people_left_behind_by_a_kill_is_brought_up_to_date(publisher: Publisher) -> None:
    publisher.publish()
    old = (publisher.home / "warehouse.duckdb").read_bytes()
    served = (publisher.home / "published" / "served.json").read_text()
    _fill(publisher.lake)
    newest = publisher.publish()
    (publisher.home / "warehouse.duckdb").write_bytes(old)
    (publisher.home / "published" / "served.json").write_text(served)
    publisher.publish()
    assert (publisher.home / "warehouse.duckdb").read_bytes() == newest.path.read_bytes()


@pytest.mark.parametrize("marker", ["", "[]", '{"generation": "7"}'])
def test_a_damaged_note_of_what_is_served_only_costs_a_copy(publisher: Publisher, marker: str) -> None:
    publisher.publish()
    (publisher.home / "published" / "served.json").write_text(marker)
    assert publisher.publish().generation == 1


def test_a_rebuild_from_the_lake_alone_has_the_same_content(publisher: Publisher) -> None:
    _fill(publisher.lake)
    publisher.publish()
    publisher.lake.write("prices", rows("prices", 7, seed=3), ticker="AAPL")
    incremental = publisher.publish()
    before = _everything(incremental.path)
    rebuilt = publisher.rebuild()
    assert rebuilt.generation == incremental.generation + 1
    assert _everything(rebuilt.path) == before
    shutil.rmtree(publisher.home / "published")
    (publisher.home / "warehouse.duckdb").unlink()
    assert _everything(Publisher(publisher.home).publish().path) == before


def _everything(path: Path) -> dict[str, list[tuple[object, ...]]]:
    with duckdb.connect(str(path), read_only=True) as connection:
        return {name: connection.table(name).order("ALL").fetchall() for name in TABLES}


def test_every_table_view_and_column_has_a_comment_with_its_unit(publisher: Publisher) -> None:
    publisher.publish()
    with duckdb.connect(str(publisher.home / "warehouse.duckdb"), read_only=True) as connection:
        relations = connection.execute(
            "SELECT table_name, comment FROM duckdb_tables() WHERE schema_name = 'main' "
            "UNION ALL SELECT view_name, comment FROM duckdb_views() WHERE NOT internal"
        ).fetchall()
        columns = connection.execute(
            "SELECT table_name, column_name, comment FROM duckdb_columns() WHERE NOT internal AND schema_name = 'main'"
        ).fetchall()
    assert {name for name, _ in relations} == {*TABLES, *(view.name for view in VIEWS)}
    assert all(comment for _, comment in relations)
    assert [row for row in columns if not row[2]] == []
    texts = {(table, column): comment for table, column, comment in columns}
    assert texts["prices", "close"].endswith("[ticker's currency]")
    assert texts["track_record", "error"] == "predicted - actual [ticker's currency]"
    assert texts["models", "fitted_at"].endswith("[UTC]")


def test_a_foreign_log_is_moved_aside_before_the_replacement_and_reported(publisher: Publisher) -> None:
    publisher.publish()
    warehouse = publisher.home / "warehouse.duckdb"
    person = duckdb.connect(str(warehouse))
    person.execute("CREATE TABLE notes AS SELECT 42 AS answer")  # committed, not checkpointed: it is in the log
    person.begin()
    person.execute("INSERT INTO notes VALUES (43)")  # not committed
    assert Path(f"{warehouse}.wal").exists()

    _fill(publisher.lake)
    published = publisher.publish()
    (aside,) = published.moved_aside
    assert aside.name.startswith("warehouse.duckdb.wal.")
    assert aside.suffix == ".aside"
    assert aside.stat().st_size > 0
    assert published.warnings == (f"someone's unfinished writes to warehouse.duckdb were moved to {aside}",)
    _assert_published_equals_lake(publisher.home)
    assert person.execute("SELECT count(*) FROM notes").fetchall() == [(2,)]
    person.commit()
    person.close()

    publisher.lake.delete("prices", ticker="AAPL")
    assert aside not in publisher.publish().moved_aside
    with duckdb.connect(str(warehouse), read_only=True) as other:
        assert other.execute("SELECT count(*) FROM prices").fetchall() == [(0,)]


def test_a_log_that_ends_while_it_is_moved_is_no_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    log = tmp_path / "warehouse.duckdb.wal"
    log.touch()
    monkeypatch.setattr(Path, "glob", lambda _self, _pattern: [log, tmp_path / "warehouse.duckdb.wal.gone"])
    assert [path.suffix for path in publishing._move_logs_aside(tmp_path / "warehouse.duckdb")] == [".aside"]


def test_the_last_three_generations_are_kept_and_an_open_old_one_stays_readable(publisher: Publisher) -> None:
    publisher.publish()
    with Reader(publisher.home) as old:
        for seed in range(5):
            publisher.lake.write("prices", rows("prices", 2, seed=seed), ticker="AAPL")
            publisher.publish()
        assert generations(publisher.home) == [4, 5, 6]
        assert not generation_path(publisher.home, 1).exists()
        assert old.frame("SELECT count(*) AS n FROM prices")["n"].tolist() == [0]


def test_a_generation_number_never_goes_back_even_if_the_files_are_gone(publisher: Publisher) -> None:
    publisher.publish()
    publisher.rebuild()
    for generation in generations(publisher.home):
        generation_path(publisher.home, generation).unlink()
    assert publisher.publish().generation == 3


def test_a_damaged_newest_generation_is_replaced_by_one_from_the_lake(publisher: Publisher) -> None:
    _fill(publisher.lake)
    newest = publisher.publish()
    newest.path.write_bytes(b"not a database")
    assert publisher.publish().generation == 2
    _assert_published_equals_lake(publisher.home)


def test_changed_contracts_publish_anew(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    _fill(publisher.lake)
    publisher.publish()
    monkeypatch.setattr(build, "definition", lambda: "of another day")
    assert publisher.publish().generation == 2
    assert publisher.publish().generation == 2


def test_a_foreign_database_among_the_generations_is_replaced(publisher: Publisher) -> None:
    publisher.publish()
    with duckdb.connect(str(generation_path(publisher.home, 2))) as foreign:
        foreign.execute("CREATE TABLE t AS SELECT 1")
    assert publisher.publish().generation == 3


def test_what_a_dead_publisher_left_is_removed(publisher: Publisher) -> None:
    folder = publisher.home / "published"
    folder.mkdir(parents=True)
    host = publishing.temporary_for(folder / "x").name.split(".")[2]
    left = [folder / f".0000000001.duckdb.{host}.{2**22 + 1}.0.tmp{end}" for end in ("", ".wal")]
    left.append(publisher.home / f".warehouse.duckdb.{host}.{2**22 + 1}.0.tmp")
    for path in left:
        path.touch()
    publisher.publish()
    assert not any(path.exists() for path in left)


def test_a_failed_publication_leaves_nothing_and_the_next_one_works(
    publisher: Publisher, monkeypatch: pytest.MonkeyPatch
) -> None:
    _fill(publisher.lake)
    publisher.publish()
    publisher.lake.write("prices", rows("prices", 2, ticker="IBM"), ticker="IBM")

    def fail(path: Path) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    with monkeypatch.context() as full_disk:
        full_disk.setattr(publishing, "sync_file", fail)
        with pytest.raises(OSError, match="No space left"):
            publisher.publish()
    assert generations(publisher.home) == [1]
    assert not list((publisher.home / "published").glob(".*.tmp*"))
    publisher.publish()
    _assert_published_equals_lake(publisher.home)


def test_a_partition_deleted_while_it_is_published_counts_as_deleted(publisher: Publisher) -> None:
    _fill(publisher.lake)
    (todo,) = (c for c in build.find_changes(publisher.lake.root, {}) if c.table.name == "prices")
    publisher.lake.delete("prices", ticker="AAPL")
    path = publisher.home / "private.duckdb"
    with connect() as connection:
        build.create(connection, path, publisher.lake.root, [todo])
        assert build.state_of(connection, path) == {}


def test_a_table_of_many_files_is_compacted(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(publishing, "COMPACT_ABOVE", 3)
    for seed in range(5):
        publisher.lake.append("forecasts", rows("forecasts", 2, seed=seed))
    publisher.publish()
    assert len(scan(publisher.lake.root, TABLES["forecasts"])) == 1
    _assert_published_equals_lake(publisher.home)


def test_a_bloated_file_is_packed_to_the_same_content(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    _fill(publisher.lake)
    publisher.publish()
    monkeypatch.setattr(build, "_BLOAT_FACTOR", 0)
    monkeypatch.setattr(build, "_BLOAT_FLOOR", -(2**40))
    publisher.lake.write("prices", rows("prices", 50, seed=3, ticker="IBM"), ticker="IBM")
    publisher.publish()
    _assert_published_equals_lake(publisher.home)
    assert publisher.publish().changed == ()


def test_two_publishers_of_one_process_take_turns(publisher: Publisher) -> None:
    _fill(publisher.lake)
    numbers: list[int] = []

    def publish() -> None:
        numbers.append(Publisher(publisher.home).publish().generation)

    threads = [threading.Thread(target=publish) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert numbers == [1, 1, 1, 1]
    assert json.loads((publisher.home / "published" / "served.json").read_text()) == {"generation": 1}
