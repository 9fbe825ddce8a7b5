import re
from datetime import UTC, date, datetime
from pathlib import Path

import numpy as np
import pytest

from stock_assets.sources import BAR_COLUMNS, open_source
from stock_assets.sources import csv as csv_source
from stock_assets.sources.base import (
    MalformedData,
    NoDataInRange,
    SourceNotConfigured,
    UnknownTicker,
    Unreachable,
)
from stock_assets.sources.csv import CsvSource
from storage.errors import InvalidTicker
from tests.sources.csv_files import HEADER, ROWS, fetch, write


def test_a_yahoo_download_becomes_bars(tmp_path: Path) -> None:
    write(tmp_path, HEADER, *ROWS)

    bars = fetch(tmp_path)

    assert tuple(bars.frame.columns) == BAR_COLUMNS
    assert bars.frame.loc[1, ["open", "high", "low", "close", "adj_close", "volume"]].tolist() == [
        184.22, 185.88, 183.43, 184.25, 183.35, 58414500.0,
    ]  # fmt: skip
    assert [f"{day:%Y-%m-%d}" for day in bars.frame["session"]] == ["2024-01-02", "2024-01-03", "2024-01-04"]
    assert np.isnan(bars.frame[["dividends", "stock_splits"]]).all(axis=None)
    assert (bars.calendar, bars.currency, bars.dropped) == ("XNYS", "USD", {})


@pytest.mark.parametrize(
    ("newline", "encoding"),
    [("\r\n", "utf-8"), ("\n", "utf-8-sig"), ("\r\n", "utf-8-sig")],
    ids=["crlf", "bom", "both"],
)
def test_windows_line_ends_and_byte_order_marks_are_no_matter(tmp_path: Path, newline: str, encoding: str) -> None:
    write(tmp_path, HEADER, *ROWS, newline=newline, encoding=encoding)

    assert len(fetch(tmp_path).frame) == 3


def test_columns_may_come_in_any_order_and_case_with_others_between(tmp_path: Path) -> None:
    write(tmp_path, "VOLUME,adj_close,Note,close,low,HIGH,open,date", "9,4.5,x,5,3,6,4,2024-01-02")

    row = fetch(tmp_path).frame.iloc[0]

    assert row[["open", "high", "low", "close", "adj_close", "volume"]].tolist() == [4, 6, 3, 5, 4.5, 9]


def test_dividends_and_splits_are_read_where_given(tmp_path: Path) -> None:
    write(
        tmp_path,
        f"{HEADER},Dividends,Stock Splits",
        f"{ROWS[0]},0.24,",
        f"{ROWS[1]},,4.0",
        f"{ROWS[2]},0,0",
    )

    frame = fetch(tmp_path).frame

    assert frame["dividends"].tolist() == [0.24, 0, 0]
    assert frame["stock_splits"].tolist() == [0, 4, 0]


def test_dates_as_yfinance_exports_them_are_read(tmp_path: Path) -> None:
    write(tmp_path, HEADER, ROWS[0].replace("2024-01-02", "2024-01-02 00:00:00-05:00"))

    assert fetch(tmp_path).frame["session"].iloc[0].date() == date(2024, 1, 2)


def test_unsorted_rows_are_sorted(tmp_path: Path) -> None:
    write(tmp_path, HEADER, ROWS[2], ROWS[0], ROWS[1])

    assert fetch(tmp_path).frame["session"].is_monotonic_increasing


def test_null_rows_are_dropped_and_listed(tmp_path: Path) -> None:
    write(tmp_path, HEADER, ROWS[0], "2024-01-03,null,null,null,null,null,null", ROWS[2])

    bars = fetch(tmp_path)

    assert len(bars.frame) == 2
    assert bars.dropped == {date(2024, 1, 3): "line 3 holds no values"}


@pytest.mark.parametrize("at", [(20, 59, 59), (21, 0, 0), (21, 19, 59)])
def test_the_partial_bar_of_a_session_is_dropped_and_listed(tmp_path: Path, at: tuple[int, int, int]) -> None:
    write(tmp_path, HEADER, *ROWS)

    bars = fetch(tmp_path, now=datetime(2024, 1, 4, *at, tzinfo=UTC))

    assert bars.frame["session"].iloc[-1].date() == date(2024, 1, 3)
    assert bars.dropped == {date(2024, 1, 4): "the session closes at 21:00 UTC; its bar is partial until 21:20"}


def test_a_bar_is_complete_twenty_minutes_after_the_close(tmp_path: Path) -> None:
    write(tmp_path, HEADER, *ROWS)

    bars = fetch(tmp_path, now=datetime(2024, 1, 4, 21, 20, tzinfo=UTC))

    assert bars.frame["session"].iloc[-1].date() == date(2024, 1, 4)
    assert bars.dropped == {}


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [
        ("Open", "abc", "column Open: 'abc' is not a number; expected digits and a point"),
        ("Close", "", "column Close: '' is not a number"),
        ("Close", "null", "column Close: 'null' is not a number"),
        ("High", "1,188.44", "column High: '1,188.44' is not a number"),
        ("High", "nan", "column High: 'nan' is not a number"),
        ("Low", "inf", "column Low: inf on 2024-01-03; expected a positive number"),
        ("Low", "-1", "column Low: -1 on 2024-01-03; expected a positive number"),
        ("Adj Close", "0", "column Adj Close: 0 on 2024-01-03; expected a positive number"),
        ("Volume", "-5", "column Volume: -5 on 2024-01-03; expected a number that is not negative"),
        ("High", "1", "column High: 1 on 2024-01-03 is below the low 183.43"),
        ("Date", "03/01/2024", "column Date: '03/01/2024' is not a date; expected YYYY-MM-DD"),
        ("Date", "2024-02-31", "column Date: '2024-02-31' is not a date"),
        ("Date", "2024-01-07", "column Date: 2024-01-07, a Sunday, is no session of XNYS; expected a day on which New"),
        ("Date", "2024-01-01", "column Date: 2024-01-01, a Monday, is no session of XNYS"),
        ("Date", "2024-01-02", "column Date: 2024-01-02 is there twice; expected one bar per session"),
    ],
)
def test_a_bad_value_names_file_line_column_value_and_expectation(
    tmp_path: Path, column: str, value: str, message: str
) -> None:
    fields = ROWS[1].split(",")
    fields[HEADER.split(",").index(column)] = f'"{value}"'
    path = write(tmp_path, HEADER, "", ROWS[0], ",".join(fields), ROWS[2])

    with pytest.raises(MalformedData, match=re.escape(f"{path} line 4, {message}")):
        fetch(tmp_path)


def test_a_bad_dividend_is_named_too(tmp_path: Path) -> None:
    write(tmp_path, f"{HEADER},Dividends", f"{ROWS[0]},lots")

    with pytest.raises(MalformedData, match="line 2, column Dividends: 'lots' is not a number"):
        fetch(tmp_path)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty; expected a header and one line per session"),
        (b"\n\n", "is empty"),
        (
            b"Date,Open,High,Low,Close,Volume\n",
            "has no column adjclose; its header is 'Date,Open,High,Low,Close,Volume'",
        ),
        (
            b"Date;Open;High;Low;Close;Adj Close;Volume\n",
            "has no column date, open, high, low, close, adjclose, volume",
        ),
        (b"Date,Open,open,High,Low,Close,Adj Close,Volume\n", "has two columns open"),
        (f"{HEADER}\n{ROWS[0]},7\n".encode(), "line 2 has 8 fields; expected 7"),
        (f"{HEADER}\n{ROWS[0]}\n2024-01-03,184.2".encode(), "line 3 has 2 fields; expected 7"),
        (f"{HEADER}\n{ROWS[0]}\n".encode("utf-16"), "is not UTF-8 text"),
        (f'{HEADER}\n"{"9" * 200_000}"\n'.encode(), "is not a CSV file"),
        (b"\0" * 5000, "is not text"),
        (f"{HEADER}\n{ROWS[0]}\n".encode("utf-16-le"), "is not text"),
        (b"x" * 5000, "its header is 'xxx"),
        (f"{HEADER}\n{'9' * 5000}{ROWS[0]}".encode(), "line 2, column Date: '999"),
        (f"{HEADER}\n{ROWS[0].replace('187.15', 'y' * 5000)}".encode(), "line 2, column Open: 'yyy"),
    ],
    ids=[
        "empty",
        "blank",
        "missing",
        "semicolons",
        "twice",
        "wide",
        "truncated",
        "utf16",
        "huge",
        "nul",
        "utf16le",
        "long header",
        "long date",
        "long",
    ],
)
def test_a_file_of_another_form_is_refused_by_name(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "AAPL.csv"
    path.write_bytes(content)

    with pytest.raises(MalformedData, match=message) as caught:
        fetch(tmp_path)
    assert str(path) in str(caught.value)
    assert len(str(caught.value)) < 300 + len(str(path))


def test_a_header_alone_is_no_data(tmp_path: Path) -> None:
    path = write(tmp_path, HEADER)

    with pytest.raises(NoDataInRange, match=r"has no rows, only a header; .* — download it again") as caught:
        fetch(tmp_path)
    assert str(path) in str(caught.value)
    assert CsvSource(tmp_path).last_session("AAPL") is None


def test_a_file_that_cannot_be_read_is_unreachable(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path, HEADER, *ROWS)

    def refuse(self: Path, *args: object, **kwargs: object) -> object:
        raise PermissionError(13, "Permission denied", str(self))

    monkeypatch.setattr(Path, "open", refuse)  # the superuser, who may run the tests, can read everything
    with pytest.raises(Unreachable, match="cannot be read: Permission denied") as caught:
        fetch(tmp_path)
    assert str(path) in str(caught.value)


def test_a_hostile_ticker_never_becomes_a_path(tmp_path: Path) -> None:
    with pytest.raises(InvalidTicker, match="is not a ticker"):
        fetch(tmp_path / ".", "../AAPL")


@pytest.mark.parametrize("folder", [None, Path("/nowhere/at/all")])
def test_without_a_folder_the_cure_names_the_flag(folder: Path | None) -> None:
    with pytest.raises(SourceNotConfigured, match="--csv-dir"):
        open_source("csv", csv_dir=folder)


def test_last_session_is_the_newest_in_the_file(tmp_path: Path) -> None:
    write(tmp_path, HEADER, ROWS[2], ROWS[0])

    assert CsvSource(tmp_path).last_session("AAPL") == date(2024, 1, 4)


def test_last_session_reads_a_file_again_only_when_it_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read: list[Path] = []
    real = csv_source._read_cells
    monkeypatch.setattr(csv_source, "_read_cells", lambda path: read.append(path) or real(path))
    path = write(tmp_path, HEADER, *ROWS[:2])
    for _ in range(3):  # each tick of a sensor opens the source anew
        assert CsvSource(tmp_path).last_session("AAPL") == date(2024, 1, 3)
    assert read == [path]
    write(tmp_path, HEADER, *ROWS)
    assert CsvSource(tmp_path).last_session("AAPL") == date(2024, 1, 4)
    write(tmp_path, HEADER, *ROWS[:2], ROWS[2].replace("2024-01-04", "2024-01-05"))  # as large as before
    assert CsvSource(tmp_path).last_session("AAPL") == date(2024, 1, 5)
    assert read == [path] * 3


def test_last_session_says_of_a_broken_file_what_is_wrong_until_it_is_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = write(tmp_path, HEADER, ROWS[0], ROWS[1].replace("184.25", "dear"))
    for _ in range(2):
        with pytest.raises(MalformedData, match="'dear' is not a number"):
            CsvSource(tmp_path).last_session("AAPL")
    with monkeypatch.context() as patch:
        patch.setattr(csv_source, "_read_cells", None)
        with pytest.raises(MalformedData, match="'dear' is not a number"):
            CsvSource(tmp_path).last_session("AAPL")
    write(tmp_path, HEADER, *ROWS)
    assert CsvSource(tmp_path).last_session("AAPL") == date(2024, 1, 4)
    path.unlink()
    with pytest.raises(UnknownTicker, match=r"no AAPL\.csv"):
        CsvSource(tmp_path).last_session("AAPL")
