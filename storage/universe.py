"""The universe: which tickers are forecast. Only the table `tickers` is touched here; bars and models stay."""

from datetime import datetime
from typing import Literal

import pandas as pd

from storage.errors import SourceIsFixed
from storage.lake import Lake
from storage.tables import TABLES
from storage.tickers import validate_ticker

Added = Literal["added", "kept", "source changed"]
_HAS_BARS = ("fetched", "ok")


def add_ticker(lake: Lake, ticker: str, source: str = "", *, now: datetime) -> Added:
    """Make a ticker's row, of status `added`: its first run fetches, trains and forecasts it. Returns what was done.

    A ticker that is there is kept as it is, unless another source is asked for; empty: the first run decides. `now` is
    aware.

    Raises:
        InvalidTicker: no usable name. SourceIsFixed: it has bars of another source. Nothing was written.
    """
    validate_ticker(ticker)
    require_one_source(lake, ticker, source)
    stored = lake.read("tickers", ticker=ticker)
    if len(stored) and source in ("", stored["source"].iloc[0]):
        return "kept"
    known = {"ticker": ticker, "source": source or None, "status": "added", "updated_at": pd.Timestamp(now)}
    row = dict.fromkeys(TABLES["tickers"].column_names) | known
    lake.write("tickers", pd.DataFrame([row]), ticker=ticker)
    return "added" if stored.empty else "source changed"


def remove_ticker(lake: Lake, ticker: str) -> bool:
    """Take a ticker out of the universe. Returns whether it was in it."""
    return lake.delete("tickers", ticker=validate_ticker(ticker))


def require_one_source(lake: Lake, ticker: str, source: str) -> None:
    """Refuse another source than that of a ticker's bars; empty: none is asked for. `SourceIsFixed` names both."""
    fixed = _source_of_bars(lake, ticker) if source else None
    if fixed not in (None, source):
        raise SourceIsFixed(
            f"the bars of {ticker} in this home come from {fixed!r}, not {source!r}; two sources never mix",
            cure=f"name no source, or give {source} a home of its own: STOCK_ASSETS_HOME=<another folder>",
        )


def _source_of_bars(lake: Lake, ticker: str) -> str | None:
    facts = lake.read("tickers", ticker=ticker)
    if len(facts) and facts["status"].iloc[0] in _HAS_BARS:
        return str(facts["source"].iloc[0])
    # A ticker that failed or was removed may have bars, and one that was only added may still change its source.
    stored = lake.read("raw_prices", ticker=ticker)
    return str(stored["source"].iloc[-1]) if len(stored) else None
