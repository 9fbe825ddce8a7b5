"""What the sensors know of each ticker: its exchange, its newest bar, and where its source ends."""

from collections.abc import Callable
from datetime import date

import pandas as pd

from stock_assets.errors import StockAssetsError
from stock_assets.forecasting.updates import Listed
from stock_assets.resources import PriceSource, Warehouse
from storage import queries
from storage.errors import NothingPublished
from storage.published import Reader


def listed_tickers(warehouse: Warehouse, *, log: Callable[[str], object]) -> list[Listed]:
    """Every ticker of the universe that has bars, from the published database.

    One whose source cannot say where it ends (its folder is gone, its file is broken) is left out, and `log` is told.
    """
    found, problems = [], []
    for row in published(warehouse, queries.newest_sessions).to_dict("records"):
        try:
            end = _end(row["source"], row["ticker"])
        except StockAssetsError as error:
            problems.append(f"{row['ticker']} is not updated: {error}")
            continue
        found.append(Listed(row["ticker"], row["calendar"], row["newest_session"].date(), end))
    tell(problems, log)
    return found


def published(warehouse: Warehouse, query: Callable[[Reader], pd.DataFrame]) -> pd.DataFrame:
    """Rows of the newest published database; none where nothing was published yet."""
    try:
        with Reader(warehouse.path) as reader:
            return query(reader)
    except NothingPublished:
        return pd.DataFrame()


def tell(problems: list[str], log: Callable[[str], object], *, at_most: int = 20) -> None:
    """The first of many lines, and how many more there are."""
    for line in problems[:at_most]:
        log(line)
    if len(problems) > at_most:
        log(f"… and {len(problems) - at_most} more")


def _end(source: str, ticker: str) -> date | None:
    return PriceSource().open(source).last_session(ticker)
