"""A folder of `TICKER.csv` in Yahoo's download format: `Date,Open,High,Low,Close,Adj Close,Volume`, in any order.

Open, high, low, close and volume are split-adjusted there, as Yahoo's are. `Dividends` and `Stock Splits` are optional.
A file says neither exchange nor currency: bars are taken as New York's, in US dollars.
"""

import csv
import difflib
import io
import re
from dataclasses import dataclass
from datetime import date, datetime
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from stock_assets.forecasting.bars import first_invalid_bar
from stock_assets.forecasting.sessions import are_sessions
from stock_assets.sources._bars import completed, finish_bars, within
from stock_assets.sources.base import (
    Bars,
    MalformedData,
    NoDataInRange,
    SourceNotConfigured,
    UnknownTicker,
    Unreachable,
)
from storage.tickers import validate_ticker

CALENDAR = "XNYS"
CURRENCY = "USD"

_PRICES_AND_VOLUME = ["open", "high", "low", "close", "adj_close", "volume"]
# Header in the file, folded → column of the contract.
_REQUIRED = {"date": "session"} | {name.replace("_", ""): name for name in _PRICES_AND_VOLUME}
_OPTIONAL = {"dividends": "dividends", "stocksplits": "stock_splits"}
_COLUMNS = _REQUIRED | _OPTIONAL

# yfinance's own exports write midnight and the offset of the exchange after the date.
_DATE = re.compile(r"(\d{4}-\d{2}-\d{2})(?:[ T]00:00:00(?:[+-]\d{2}:?\d{2})?)?")
_EMPTY = {"", "null"}
_LONGEST_QUOTE = 80
_HOW = "correct that line, or download the file again"


@dataclass(frozen=True)
class _Table:
    """A file's cells as text, by column of the contract, and the line each row stands on."""

    path: Path
    header: dict[str, str]
    cells: pd.DataFrame
    lines: list[int]

    def refuse(self, row: int, column: str, problem: str) -> MalformedData:
        where = f"{self.path} line {self.lines[row]}, column {self.header[column]}"
        return MalformedData(f"{where}: {problem}", cure=_HOW)


class CsvSource:
    """Bars from files in a folder."""

    name = "csv"

    def __init__(self, csv_dir: Path | None = None) -> None:
        """Open `csv_dir`; `SourceNotConfigured` where it is no folder."""
        if csv_dir is None or not csv_dir.is_dir():
            given = "no folder was given" if csv_dir is None else f"{str(csv_dir)!r} is not a folder"
            raise SourceNotConfigured(
                f"the csv source needs a folder of TICKER.csv files, and {given}", cure="name one with --csv-dir"
            )
        self._folder = csv_dir

    def fetch(self, ticker: str, start: date, end: date, *, now: datetime) -> Bars:
        """Bars of sessions in [start, end] that were complete at `now`; rows of nulls are dropped and listed.

        Raises:
            UnknownTicker: where there is no file, with the nearest names.
            MalformedData: naming file, line, column, the value and what was expected.
            NoDataInRange, Unreachable: as in the contract.
        """
        given, nulls = _content(*self._version(ticker))
        if given.empty and not nulls:
            raise NoDataInRange(
                f"{self._folder / ticker}.csv has no rows, only a header; expected one line per session",
                cure="download it again, for a range in which the ticker traded",
            )
        bars, still_open = completed(given, CALENDAR, now)
        inside = within(bars, start, end, ticker=ticker, source=self.name, partial=given)
        dropped = {day: reason for day, reason in (nulls | still_open).items() if start <= day <= end}
        return Bars(inside, calendar=CALENDAR, currency=CURRENCY, dropped=dropped)

    def last_session(self, ticker: str) -> date | None:
        """Newest bar in the file as it is now; None where it has none. Errors as `fetch`.

        It is asked each minute: a file that has not changed is not read again.
        """
        found = _newest_session(*self._version(ticker))
        if isinstance(found, MalformedData):
            raise found.with_traceback(None)
        return found

    def _version(self, ticker: str) -> tuple[Path, int, int]:
        """The ticker's file, with its size and time of change, which stand for its content."""
        path = self._folder / f"{validate_ticker(ticker)}.csv"
        if path.is_dir():
            raise MalformedData(f"{path} is a folder; expected a file", cure="move it away and put the file there")
        if not path.is_file():
            raise self._unknown(ticker)
        status = path.stat()
        return path, status.st_size, status.st_mtime_ns

    def _unknown(self, ticker: str) -> UnknownTicker:
        files = [path for path in self._folder.iterdir() if path.is_file()]
        names = sorted(path.stem for path in files if path.suffix == ".csv")
        other_case = sorted(path.name for path in files if path.name.casefold() == f"{ticker}.csv".casefold())
        near = difflib.get_close_matches(ticker, names, n=3, cutoff=0.5)
        hint = f"did you mean {' or '.join(near)}?" if near else f"put {ticker}.csv into {self._folder}"
        hint = f"rename {other_case[0]} to {ticker}.csv" if other_case else hint
        return UnknownTicker(f"{self._folder} has no {ticker}.csv; it holds {len(names)} files", cure=hint)


@lru_cache(maxsize=16_384)
def _newest_session(path: Path, size: int, changed: int) -> date | MalformedData | None:
    """Of a file with this content; what is wrong with it, if it is."""
    try:
        bars, _ = _content(path, size, changed)
    except MalformedData as error:
        return error
    return None if bars.empty else bars["session"].iloc[-1].date()


@lru_cache(maxsize=1)  # a fetch asks for the newest session first, then for the bars
def _content(path: Path, size: int, changed: int) -> tuple[pd.DataFrame, dict[date, str]]:
    """Bars, and why other sessions have none; to be read, not to be changed."""
    table = _read_cells(path)
    sessions = _parse_dates(table)
    is_null = table.cells[_PRICES_AND_VOLUME].isin(_EMPTY).all(axis=1)
    nulls = {sessions[row].date(): f"line {table.lines[row]} holds no values" for row in np.flatnonzero(is_null)}
    kept = table.cells.index[~is_null]
    bars = _parse_numbers(table, kept).assign(session=sessions[kept])
    _refuse_other_days(table, sessions[kept])
    invalid = first_invalid_bar(bars)
    if invalid is not None:
        raise table.refuse(int(kept[invalid.position]), invalid.column, invalid.problem)
    return finish_bars(bars, where=str(path), cure=_HOW), nulls


def _read_cells(path: Path) -> _Table:
    try:
        # utf-8-sig: spreadsheet programs write a byte-order mark.
        with path.open(encoding="utf-8-sig", newline="") as file:
            text = file.read()
        if "\0" in text:
            raise MalformedData(f"{path} is not text, it holds NUL bytes", cure="download it again, as CSV in UTF-8")
        reader = csv.reader(io.StringIO(text, newline=""))
        numbered = [(reader.line_num, row) for row in reader if row]
    except UnicodeDecodeError as error:
        raise MalformedData(f"{path} is not UTF-8 text ({error.reason})", cure="save it as CSV in UTF-8") from error
    except csv.Error as error:
        raise MalformedData(f"{path} is not a CSV file ({error})", cure=_HOW) from error
    except OSError as error:
        raise Unreachable(f"{path} cannot be read: {error.strerror}", cure="check the file and its rights") from error
    if not numbered:
        raise MalformedData(f"{path} is empty; expected a header and one line per session", cure="download it again")
    names = _parse_header(path, numbered[0][1])
    for line, row in numbered[1:]:
        if len(row) != len(names):
            raise MalformedData(f"{path} line {line} has {len(row)} fields; expected {len(names)}", cure=_HOW)
    cells = pd.DataFrame([row for _, row in numbered[1:]], columns=names, dtype="str")
    used = {_COLUMNS[_fold(name)]: name for name in names if _fold(name) in _COLUMNS}
    stripped = cells[list(used.values())].set_axis(list(used), axis=1).apply(lambda column: column.str.strip())
    return _Table(path, used, stripped, [line for line, _ in numbered[1:]])


def _parse_header(path: Path, names: list[str]) -> list[str]:
    folded = [_fold(name) for name in names]
    missing = [name for name in _REQUIRED if name not in folded]
    twice = [name for name in _COLUMNS if folded.count(name) > 1]
    if missing or twice:
        fault = f"has no column {', '.join(missing)}" if missing else f"has two columns {', '.join(twice)}"
        raise MalformedData(
            f"{path} {fault}; its header is {_quote(','.join(names))}",
            cure="use the columns Date,Open,High,Low,Close,Adj Close,Volume, in any order",
        )
    return names


def _quote(value: str) -> str:
    quoted = repr(value)
    return quoted if len(quoted) <= _LONGEST_QUOTE else f"{quoted[: _LONGEST_QUOTE - 1]}…"


def _fold(name: str) -> str:
    return re.sub(r"[\s_]", "", name).casefold()


def _parse_dates(table: _Table) -> pd.Series:
    text = table.cells["session"]
    days = text.where(text.str.fullmatch(_DATE)).str.slice(0, 10)
    sessions = pd.to_datetime(days, format="%Y-%m-%d", errors="coerce").astype("datetime64[ns]")
    wrong = np.flatnonzero(sessions.isna())
    if len(wrong):
        raise table.refuse(wrong[0], "session", f"{_quote(text.iloc[wrong[0]])} is not a date; expected YYYY-MM-DD")
    return sessions


def _refuse_other_days(table: _Table, sessions: pd.Series) -> None:
    other = sessions[~are_sessions(CALENDAR, sessions)]
    if len(other):
        day = other.iloc[0]
        problem = f"{day:%Y-%m-%d}, a {day:%A}, is no session of {CALENDAR}; expected a day on which New York trades"
        raise table.refuse(int(other.index[0]), "session", problem)


def _parse_numbers(table: _Table, rows: pd.Index) -> pd.DataFrame:
    """Numbers of `rows`; the first bad one in file order is named."""
    text = table.cells.loc[rows].drop(columns="session")
    for column in _OPTIONAL.values():
        # An empty cell there means that nothing was paid or split; a missing column, that it is not reported.
        text[column] = text[column].mask(text[column].isin(_EMPTY), "0") if column in text else "nan"
    numbers: pd.DataFrame = text.apply(pd.to_numeric, errors="coerce").astype("float64")
    wrong = np.argwhere(numbers[list(table.cells.columns.drop("session"))].isna().to_numpy())
    if len(wrong):
        row, column = int(rows[wrong[0][0]]), table.cells.columns.drop("session")[wrong[0][1]]
        value = table.cells[column].iloc[row]
        raise table.refuse(row, column, f"{_quote(value)} is not a number; expected digits and a point, like 1234.5")
    return numbers
