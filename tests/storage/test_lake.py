import threading
from pathlib import Path

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from storage.errors import ContractViolation, InvalidTicker, UnknownTable
from storage.lake import Lake
from storage.tables import TABLES
from tests.storage.frames import partition, rows


def _content(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*.parquet"))}


@pytest.mark.parametrize("table", TABLES)
def test_every_table_reads_as_an_empty_typed_frame_before_anything_is_written(lake: Lake, table: str) -> None:
    empty = lake.read(table)
    assert empty.empty
    assert empty.dtypes.equals(rows(table).dtypes)


@pytest.mark.parametrize("table", [name for name, table in TABLES.items() if not table.append_only])
def test_a_partition_is_replaced_whole(lake: Lake, table: str) -> None:
    lake.write(table, rows(table, 5, seed=1), **partition(table))
    lake.write(table, rows(table, 2, seed=2), **partition(table))
    expected = rows(table, 2, seed=2).sort_values(list(TABLES[table].key), ignore_index=True)
    pd.testing.assert_frame_equal(lake.read(table), expected)


@pytest.mark.parametrize("ticker", ["^GSPC", "BRK-B", "BF.B", "M&M.NS", "EURUSD=X", "CON.DE", "0700.HK"])
def test_tickers_whose_name_needs_care_have_files_of_their_own(lake: Lake, ticker: str) -> None:
    lake.write("predictions", rows("predictions"), **partition("predictions"))
    path = lake.write("predictions", rows("predictions", ticker=ticker), **partition("predictions", ticker))
    assert path.is_file()
    assert partition("predictions", ticker) in lake.partitions("predictions")
    assert lake.read("predictions", ticker=ticker)["ticker"].unique().tolist() == [ticker]


@pytest.mark.parametrize("ticker", ["../x", "a'b", "A,B", "CON", "", "A/B", "A\0"])
def test_hostile_tickers_never_become_a_path(lake: Lake, ticker: str) -> None:
    with pytest.raises(InvalidTicker, match="is not a ticker"):
        lake.write("prices", rows("prices", ticker=ticker), ticker=ticker)
    with pytest.raises(InvalidTicker, match="is not a ticker"):
        lake.delete("prices", ticker=ticker)


@pytest.mark.parametrize("model", ["../x", "X", "", ".hidden", "a b"])
def test_hostile_model_names_never_become_a_path(lake: Lake, model: str) -> None:
    with pytest.raises(ContractViolation, match="cannot name a file, expected a–z"):
        lake.write("models", rows("models", model=model), ticker="AAPL", model=model)


def test_a_broken_frame_leaves_the_stored_partition_and_the_folder_untouched(lake: Lake) -> None:
    lake.write("prices", rows("prices"), ticker="AAPL")
    before = _content(lake.root)
    good = rows("prices")
    for broken in (good.drop(columns="open"), good.assign(close=float("nan")), good.assign(ticker="IBM")):
        with pytest.raises(ContractViolation, match=r"^prices: "):
            lake.write("prices", broken, ticker="AAPL")
    assert _content(lake.root) == before
    assert not list(lake.root.rglob("*.tmp"))


def test_a_wrong_partition_is_refused_with_the_right_columns(lake: Lake) -> None:
    with pytest.raises(ContractViolation, match=r"partitioned by \(ticker, model, scheme\), given \(ticker\)"):
        lake.write("predictions", rows("predictions"), ticker="AAPL")
    with pytest.raises(ContractViolation, match="— append to it"):
        lake.write("forecasts", rows("forecasts"), ticker="AAPL")
    with pytest.raises(ContractViolation, match=r"not append-only — write whole partitions"):
        lake.append("prices", rows("prices"))
    with pytest.raises(ContractViolation, match=r"not append-only"):
        lake.compact("prices")


def test_an_unknown_table_is_answered_with_the_nearest(lake: Lake) -> None:
    with pytest.raises(UnknownTable, match="there is no table 'forecast' — did you mean forecasts"):
        lake.read("forecast")


def test_rows_are_read_by_value_and_by_list_of_values(lake: Lake) -> None:
    for ticker in ("AAPL", "IBM", "MSFT"):
        lake.write("prices", rows("prices", ticker=ticker), ticker=ticker)
    assert lake.read("prices")["ticker"].unique().tolist() == ["AAPL", "IBM", "MSFT"]
    assert lake.read("prices", ticker=["MSFT", "AAPL"])["ticker"].unique().tolist() == ["AAPL", "MSFT"]
    one = lake.read("prices", ticker="IBM", session=pd.Timestamp("2024-01-02"))
    assert one[["ticker", "session"]].to_numpy().tolist() == [["IBM", pd.Timestamp("2024-01-02")]]
    assert lake.read("prices", ticker="NONE").empty


def test_a_filter_that_cannot_be_meant_is_refused(lake: Lake) -> None:
    with pytest.raises(ContractViolation, match="prices has no column 'tickr' — did you mean ticker"):
        lake.read("prices", tickr="AAPL")
    with pytest.raises(ContractViolation, match="close is double, asked for 'high'"):
        lake.read("prices", close="high")


def test_a_deleted_partition_is_gone_and_the_others_stay(lake: Lake) -> None:
    for ticker in ("AAPL", "IBM"):
        lake.write("prices", rows("prices", ticker=ticker), ticker=ticker)
    assert lake.delete("prices", ticker="IBM")
    assert not lake.delete("prices", ticker="IBM")
    assert lake.partitions("prices") == [{"ticker": "AAPL"}]
    assert lake.partitions("forecasts") == []


def test_a_file_that_is_not_ours_is_named_with_the_cure(lake: Lake) -> None:
    path = lake.write("prices", rows("prices"), ticker="AAPL")
    pq.write_table(pa.table({"x": [1]}), path)
    with pytest.raises(ContractViolation, match=r"does not have the columns of prices — restore the file"):
        lake.read("prices")
    path.write_bytes(b"half a file")
    with pytest.raises(
        ContractViolation,
        match=r"ticker=AAPL.parquet cannot be read: .* — restore the file from a backup, or delete it and",
    ):
        lake.read("prices")
    path.write_bytes(lake.write("prices", rows("prices", ticker="IBM"), ticker="IBM").read_bytes())
    with pytest.raises(ContractViolation, match=r"AAPL.parquet has rows whose ticker is not 'AAPL' — restore"):
        lake.read("prices", ticker="AAPL")


def test_threads_write_one_partition_at_once_and_one_of_them_wins_whole(lake: Lake) -> None:
    frames = [rows("prices", 50, open=float(i)) for i in range(8)]
    threads = [
        threading.Thread(target=lake.write, args=("prices", frame), kwargs={"ticker": "AAPL"}) for frame in frames
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(set(lake.read("prices")["open"])) == 1
    assert len(lake.read("prices")) == 50
