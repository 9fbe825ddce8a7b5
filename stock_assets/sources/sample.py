"""Real daily bars that ship with the package `bokeh_sampledata`: no network, no key, never today's market.

They come from Quandl's public WIKI prices. Open, high, low, close and volume are as traded; we adjust them for splits
before use. `adj_close` is as published in 2018, so it also knows of dividends and splits after 2013 and lies below
the close on the last day; its returns are right.
"""

from datetime import date, datetime

import numpy as np
import pandas as pd

from stock_assets.sources._bars import finish_bars, within
from stock_assets.sources.base import Bars, UnknownTicker

TICKERS = ("AAPL", "FB", "GOOG", "IBM", "MSFT")
FIRST_SESSION = date(2000, 3, 1)
LAST_SESSION = date(2013, 3, 1)

# Every split of the five within the data. Elsewhere the log returns of close and adj_close are equal to 1e-13, but for
# dividend dates, on which they differ by less than 0.11.
_SPLITS: dict[str, dict[date, float]] = {
    "AAPL": {date(2000, 6, 21): 2.0, date(2005, 2, 28): 2.0},
    "MSFT": {date(2003, 2, 18): 2.0},
}


class SampleSource:
    """Bars of AAPL, FB, GOOG, IBM and MSFT from 2000-03-01 (FB 2012-05-18, GOOG 2004-08-19) to 2013-03-01."""

    name = "sample"

    def fetch(self, ticker: str, start: date, end: date, *, now: datetime) -> Bars:
        """Bars of sessions in [start, end]; all were complete long ago, so `now` does not matter."""
        bars = finish_bars(_split_adjusted(ticker), where=f"sample bars of {ticker}", cure="reinstall bokeh_sampledata")
        return Bars(within(bars, start, end, ticker=ticker, source=self.name), calendar="XNYS", currency="USD")

    def last_session(self, ticker: str) -> date | None:
        """2013-03-01."""
        return LAST_SESSION


def _split_adjusted(ticker: str) -> pd.DataFrame:
    if ticker not in TICKERS:
        problem = f"the sample bars have no {ticker!r}; expected one of {', '.join(TICKERS)}"
        raise UnknownTicker(problem, cure="choose one of these, or another source (--source yahoo, --source csv)")
    from bokeh_sampledata import stocks

    traded = pd.DataFrame(getattr(stocks, ticker))
    session = pd.to_datetime(traded["date"])
    splits = session.map({pd.Timestamp(day): ratio for day, ratio in _SPLITS.get(ticker, {}).items()}).fillna(1.0)
    # A share held before a split became `ratio` shares: the product of all later splits.
    later = splits[::-1].cumprod()[::-1] / splits
    prices = traded[["open", "high", "low", "close"]].div(later, axis=0)
    return prices.assign(
        session=session,
        adj_close=traded["adj_close"],
        volume=traded["volume"] * later,
        dividends=np.nan,
        stock_splits=splits.where(splits != 1.0, 0.0),
    )
