"""Append-only tables: one file per append, merged now and then, without losing or repeating a row."""

import json
import threading
import time
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from storage import compaction, locks
from storage.errors import ContractViolation
from storage.lake import Lake
from storage.layout import scan
from storage.tables import TABLES
from tests.storage.frames import rows


def _append_many(lake: Lake, n: int) -> pd.DataFrame:
    for seed in range(n):
        lake.append("forecasts", rows("forecasts", 2, seed=seed))
    return lake.read("forecasts")


def _files(lake: Lake) -> list[str]:
    return list(scan(lake.root, TABLES["forecasts"]))


def test_each_append_is_one_file_and_an_empty_one_is_none(lake: Lake) -> None:
    assert lake.append("forecasts", rows("forecasts", 2)) == 2
    assert lake.append("forecasts", rows("forecasts", 0)) == 0
    assert len(_files(lake)) == 1


def test_file_names_sort_by_time_of_the_append(lake: Lake) -> None:
    sizes = []
    for n in (1, 40, 3):
        lake.append("forecasts", rows("forecasts", n))
        sizes.append(n)
    assert [len(pd.read_parquet(lake.root / path)) for path in _files(lake)] == sizes


def test_reading_removes_no_row_by_accident(lake: Lake) -> None:
    lake.append("forecasts", rows("forecasts", 2))
    lake.append("forecasts", rows("forecasts", 2))
    assert len(lake.read("forecasts")) == 4


def test_only_new_leaves_out_stored_keys(lake: Lake) -> None:
    assert lake.append("forecasts", rows("forecasts", 3), only_new=True) == 3
    assert lake.append("forecasts", rows("forecasts", 3), only_new=True) == 0
    both = pd.concat([rows("forecasts", 2), rows("forecasts", 2, seed=9)])
    assert lake.append("forecasts", both, only_new=True) == 2
    assert lake.read("forecasts")["forecast_id"].is_unique


def test_only_new_appends_of_many_threads_store_each_key_once(lake: Lake) -> None:
    added: list[int] = []

    def append() -> None:
        added.append(lake.append("forecasts", rows("forecasts", 5), only_new=True))

    threads = [threading.Thread(target=append) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sum(added) == 5
    assert len(lake.read("forecasts")) == 5


def test_compaction_keeps_every_row_in_one_file(lake: Lake) -> None:
    before = _append_many(lake, 7)
    assert lake.compact("forecasts") == 7
    assert len(_files(lake)) == 1
    pd.testing.assert_frame_equal(lake.read("forecasts"), before)
    assert lake.compact("forecasts") == 0


def test_appends_after_a_compaction_come_after_it(lake: Lake) -> None:
    _append_many(lake, 3)
    lake.compact("forecasts")
    (merged,) = _files(lake)
    lake.append("forecasts", rows("forecasts", 1, seed=99))
    assert _files(lake)[0] == merged
    assert len(_files(lake)) == 2


def test_an_impatient_compaction_leaves_a_busy_table_alone(lake: Lake) -> None:
    _append_many(lake, 3)
    with locks.shared(lake.root / ".locks" / "forecasts.lock"):
        assert lake.compact("forecasts", patience=0.05) == 0
    assert len(_files(lake)) == 3


def test_a_compaction_gets_its_turn_although_readers_never_stop_coming(lake: Lake) -> None:
    _append_many(lake, 3)
    stop = threading.Event()

    def read() -> None:
        while not stop.is_set():
            lake.read("forecasts")

    readers = [threading.Thread(target=read) for _ in range(3)]
    for reader in readers:
        reader.start()
    try:
        assert lake.compact("forecasts", patience=30) == 3
    finally:
        stop.set()
        for reader in readers:
            reader.join()


@pytest.mark.parametrize("stage", ["decided", "replaced", "half removed"])
@pytest.mark.parametrize("finisher", ["reader", "sweep", "compaction", "append"])
def test_a_compaction_killed_after_its_decision_is_finished_by_whoever_comes_next(
    lake: Lake, stage: str, finisher: str
) -> None:
    before = _append_many(lake, 4)
    folder = lake.root / "forecasts"
    old = [lake.root / path for path in _files(lake)]
    _interrupted_compaction(lake, folder, old, stage)

    {
        "reader": lambda: lake.read("forecasts"),
        "sweep": lake.sweep,
        "compaction": lambda: lake.compact("forecasts"),
        "append": lambda: lake.append("forecasts", rows("forecasts", 0)),
    }[finisher]()
    assert not compaction.is_pending(folder)
    pd.testing.assert_frame_equal(lake.read("forecasts"), before)
    assert len(_files(lake)) == 1


def _interrupted_compaction(lake: Lake, folder: Path, old: list[Path], stage: str) -> None:
    """What is on disk when the process dies at `stage`."""
    final = folder / f"{time.time_ns():020d}.other-host.1.0.parquet"
    staged = folder / f".{final.name}.other-host.1.0.tmp"
    merged = pd.concat([pd.read_parquet(path) for path in old])
    other = Lake(lake.root.parent / "scratch")
    other.append("forecasts", merged.assign(**{c: merged[c].astype("datetime64[ns]") for c in _sessions()}))
    next((other.root / "forecasts").glob("*.parquet")).rename(staged)
    names = {"staged": staged.name, "final": final.name, "merged": [path.name for path in old]}
    (folder / ".compaction.json").write_text(json.dumps(names))
    if stage != "decided":
        staged.rename(final)
    if stage == "half removed":
        old[0].unlink()


def _sessions() -> list[str]:
    return [column.name for column in TABLES["forecasts"].columns if column.type == "DATE"]


def test_a_decision_whose_merged_file_is_lost_removes_nothing(lake: Lake) -> None:
    before = _append_many(lake, 3)
    names = {"staged": ".gone.tmp", "final": "gone.parquet", "merged": [Path(path).name for path in _files(lake)]}
    (lake.root / "forecasts" / ".compaction.json").write_text(json.dumps(names))
    pd.testing.assert_frame_equal(lake.read("forecasts"), before)


def test_a_merge_that_cannot_be_written_changes_nothing(lake: Lake, tmp_path: Path) -> None:
    before = _append_many(lake, 2)
    folder = lake.root / "forecasts"

    def fail(path: Path) -> None:
        path.write_bytes(b"half")
        raise OSError("disk full")

    with pytest.raises(OSError, match="disk full"):
        compaction.merge([], folder / "x.parquet", fail)
    pd.testing.assert_frame_equal(lake.read("forecasts"), before)
    assert not list(folder.glob(".*.tmp"))


def test_only_new_compares_with_the_rows_of_the_same_tickers(lake: Lake) -> None:
    for ticker in ("AAPL", "IBM"):
        bars = rows("raw_prices", 3, ticker=ticker)
        assert lake.append("raw_prices", bars, only_new=True) == 3
        assert lake.append("raw_prices", bars, only_new=True) == 0
    both = pd.concat([rows("raw_prices", 4, ticker=ticker) for ticker in ("AAPL", "IBM", "MSFT")])
    assert lake.append("raw_prices", both, only_new=True) == 1 + 1 + 4


def test_rows_of_a_ticker_are_found_in_files_of_one_of_several_and_without_a_footer_that_tells(lake: Lake) -> None:
    tickers = ["AAPL", "IBM", "MSFT", "NVDA"]
    frames = [rows("raw_prices", 3, ticker=ticker, seed=seed) for seed, ticker in enumerate(tickers)]
    for frame in (frames[0], frames[1], pd.concat(frames[1:], ignore_index=True), frames[0].iloc[:0]):
        lake.append("raw_prices", frame)
    (first, second, _) = scan(lake.root, TABLES["raw_prices"])
    silent = pq.read_table(lake.root / second)
    pq.write_table(silent, lake.root / second, write_statistics=False)
    pq.write_table(silent.slice(0, 0), lake.root / first)

    everything = lake.read("raw_prices")
    for asked in ("AAPL", "IBM", "NVDA", ["IBM", "NVDA"], [], "ZZZ"):
        expected = everything[everything["ticker"].isin([asked] if isinstance(asked, str) else asked)]
        found = lake.read("raw_prices", ticker=asked)
        pd.testing.assert_frame_equal(found, expected.reset_index(drop=True), check_dtype=bool(len(expected)))
    assert len(everything) == 3 + 9


def test_a_damaged_file_is_named_whichever_ticker_is_asked_for(lake: Lake) -> None:
    lake.append("raw_prices", rows("raw_prices", ticker="AAPL"))
    assert len(lake.read("raw_prices", ticker="IBM")) == 0
    (path,) = scan(lake.root, TABLES["raw_prices"])
    file = lake.root / path
    file.write_bytes(file.read_bytes()[:-20])
    for ticker in ("AAPL", "IBM"):
        with pytest.raises(ContractViolation, match="cannot be read"):
            lake.read("raw_prices", ticker=ticker)
