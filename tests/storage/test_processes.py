"""Storage among real processes. `benchmarks/storage_load.py` runs the same at the sizes of the budget."""

from pathlib import Path

import duckdb
import pytest

from storage.lake import Lake
from storage.published import Reader
from storage.publisher import Publisher
from tests.storage.processes import kill_and_recover, run_load, start, work_until_killed


@pytest.mark.slow
def test_writers_publishers_readers_and_a_person_with_unfinished_writes_never_fail_each_other(home: Path) -> None:
    home.mkdir()
    load = run_load(home, writers=4, partitions=50)
    assert set(load.exit_codes.values()) == {0}, load.exit_codes
    assert list(home.glob("warehouse.duckdb.wal.*.aside"))
    Publisher(home).publish()
    lake = Lake(home / "lake")
    assert len(lake.partitions("prices")) == 20
    assert len(lake.read("forecasts")) == 4 * 10 * 2
    with Reader(home) as reader:
        for table in ("prices", "forecasts"):
            assert len(reader.frame(f"FROM {table}")) == len(lake.read(table))
    with duckdb.connect(str(home / "warehouse.duckdb"), read_only=True) as person:
        assert person.table("prices").count("*").fetchall() == [(20 * 20,)]


@pytest.mark.slow
def test_killed_at_any_moment_everything_is_whole_and_goes_on(home: Path) -> None:
    home.mkdir()
    kill_and_recover(home, rounds=20, seed=1)
    assert len(Lake(home / "lake").read("prices")) == 60


@pytest.mark.slow
def test_a_sweep_leaves_a_live_writers_files_alone(home: Path) -> None:
    home.mkdir()
    worker = start(work_until_killed, home, 3)
    lake = Lake(home / "lake")
    try:
        for _ in range(300):
            assert lake.sweep() == []
        assert worker.is_alive()
    finally:
        worker.kill()
        worker.join()
