"""What the sensors know of each ticker: its exchange, its newest bar, and where its source ends."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import date
from functools import cache
from typing import Any

import pandas as pd

from stock_assets.checks import first_lines
from stock_assets.forecasting.updates import Listed
from stock_assets.health import Failure
from stock_assets.resources import PriceSource, Warehouse
from stock_assets.sources.base import Source
from storage import queries
from storage.errors import NothingPublished
from storage.published import Reader


def listed_tickers(warehouse: Warehouse, *, log: Callable[[str], object]) -> list[Listed]:
    """Every ticker of the universe that has bars, from the published database.

    One whose source cannot say where it ends (its folder is gone, its file is broken), or whose exchange is not known,
    is left out, and `log` is told.
    """
    found: list[Listed] = []
    problems: list[str] = []
    open_once = cache(PriceSource().open)
    for row in published(warehouse, queries.newest_sessions).to_dict("records"):
        if pd.isna(row["calendar"]):
            problems.append(f"{row['ticker']} is not updated: its exchange is not known before its first fetch")
            continue
        with excused(row["ticker"], "is not updated", problems):
            found.append(Listed(row["ticker"], row["calendar"], row["newest_session"].date(), _end(row, open_once)))
    tell(problems, log)
    return found


def published(warehouse: Warehouse, query: Callable[[Reader], pd.DataFrame]) -> pd.DataFrame:
    """Rows of the newest published database; none where nothing was published yet."""
    try:
        with Reader(warehouse.path) as reader:
            return query(reader)
    except NothingPublished:
        return pd.DataFrame()


@contextmanager
def excused(ticker: str, what: str, problems: list[str]) -> Iterator[None]:
    """What goes wrong with one ticker is put down as a problem, a line, and the others go on."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - each tick would fail for ever, and with it every ticker's updates
        problems.append(f"{ticker} {Failure.of(error, what).line}")


def tell(problems: list[str], log: Callable[[str], object]) -> None:
    """The first of many lines, and how many more there are."""
    for line in first_lines(problems):
        log(line)


def _end(row: dict[Any, Any], open_source: Callable[[str | None], Source]) -> date | None:
    source = None if pd.isna(row["source"]) else row["source"]
    return open_source(source).last_session(row["ticker"])
