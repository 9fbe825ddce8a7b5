import shutil
from typing import NoReturn

import pandas as pd
import pytest

import storage.lake
import storage.remembering
from storage.lake import Lake
from storage.remembering import RememberingLake
from tests.storage.frames import partition, rows


@pytest.fixture
def remembering(lake: Lake) -> RememberingLake:
    return RememberingLake(lake.root)


@pytest.mark.parametrize("table", ["prices", "predictions", "forecasts"])
def test_files_that_stay_the_same_are_read_once(
    lake: Lake, remembering: RememberingLake, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _store(lake, table, seed=1)
    first = remembering.read(table, ticker="AAPL")
    pd.testing.assert_frame_equal(first, lake.read(table, ticker="AAPL"))
    monkeypatch.setattr(storage.lake, "read_rows", _refuse)
    pd.testing.assert_frame_equal(remembering.read(table, ticker="AAPL"), first)
    for other in ({}, {"ticker": ["AAPL"]}):  # of many tickers nothing is kept
        with pytest.raises(AssertionError, match="a file was read"):
            remembering.read(table, **other)


@pytest.mark.parametrize("table", ["prices", "predictions", "forecasts"])
def test_what_another_writes_is_seen_at_once(lake: Lake, remembering: RememberingLake, table: str) -> None:
    assert remembering.read(table, ticker="AAPL").empty
    for seed in (1, 2):
        _store(lake, table, seed=seed)
        pd.testing.assert_frame_equal(remembering.read(table, ticker="AAPL"), lake.read(table))


def test_a_partition_that_is_deleted_is_gone(lake: Lake, remembering: RememberingLake) -> None:
    lake.write("prices", rows("prices"), ticker="AAPL")
    assert len(remembering.read("prices", ticker="AAPL"))
    lake.delete("prices", ticker="AAPL")
    assert remembering.read("prices", ticker="AAPL").empty


@pytest.mark.parametrize("table", ["prices", "forecasts"])
def test_rows_that_come_while_others_are_read_are_not_taken_for_them(
    lake: Lake, remembering: RememberingLake, table: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    listed = storage.remembering.scan

    def scan_before_a_writer(*asked: object) -> object:
        files = listed(*asked)
        monkeypatch.setattr(storage.remembering, "scan", listed)
        _store(lake, table, seed=1)
        return files

    monkeypatch.setattr(storage.remembering, "scan", scan_before_a_writer)
    assert len(remembering.read(table, ticker="AAPL"))
    shutil.rmtree(lake.root / table)  # what was listed first is what is there again
    assert remembering.read(table, ticker="AAPL").empty


def test_a_reader_that_changes_its_frame_changes_nobody_elses(lake: Lake, remembering: RememberingLake) -> None:
    lake.write("prices", rows("prices"), ticker="AAPL")
    for _ in range(2):
        frame = remembering.read("prices", ticker="AAPL")
        pd.testing.assert_frame_equal(frame, lake.read("prices", ticker="AAPL"))
        frame.loc[:, "close"] = 0.0
        frame.drop(index=0, inplace=True)  # noqa: PD002 - what a careless reader might do


def test_it_keeps_so_many_frames_and_no_more(lake: Lake, remembering: RememberingLake) -> None:
    lake.write("prices", rows("prices"), ticker="AAPL")
    for number in range(200):
        remembering.read("prices", ticker=f"T{number}")
    assert len(remembering._kept) <= 64


def _store(lake: Lake, table: str, *, seed: int) -> None:
    if partition(table):
        lake.write(table, rows(table, seed=seed), **partition(table))
    else:
        lake.append(table, rows(table, seed=seed))


def _refuse(*_: object) -> NoReturn:
    raise AssertionError("a file was read")
