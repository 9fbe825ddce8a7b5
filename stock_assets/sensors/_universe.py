"""What the sensors know of each ticker: its exchange, its newest bar, and where its source ends."""

from collections.abc import Callable
from datetime import date

from stock_assets.forecasting.updates import Listed
from stock_assets.resources import PriceSource, Warehouse
from stock_assets.sources.errors import SourceError
from storage import queries
from storage.errors import NothingPublished
from storage.published import Reader


def listed_tickers(warehouse: Warehouse, *, log: Callable[[str], object]) -> list[Listed]:
    """Every ticker of the universe that has bars, from the published database.

    One whose source cannot say where it ends (its folder is gone) is left out, and `log` is told.
    """
    try:
        with Reader(warehouse.path) as reader:
            rows = queries.newest_sessions(reader)
    except NothingPublished:
        return []
    found = []
    for _, row in rows.iterrows():
        try:
            end = _end(row["source"], row["ticker"])
        except SourceError as error:
            log(f"{row['ticker']} is not updated: {error}")
            continue
        found.append(Listed(row["ticker"], row["calendar"], row["newest_session"].date(), end))
    return found


def _end(source: str, ticker: str) -> date | None:
    return PriceSource().open(source).last_session(ticker)
