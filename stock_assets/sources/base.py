"""The contract of a price source: `fetch(ticker, start, end) → Bars`, or a `SourceError`."""

from dataclasses import dataclass, field
from datetime import date, datetime
from typing import Protocol

import pandas as pd

from stock_assets.errors import StockAssetsError

BAR_COLUMNS = ("session", "open", "high", "low", "close", "adj_close", "volume", "dividends", "stock_splits")


@dataclass(frozen=True)
class Bars:
    """Completed sessions of one ticker.

    Attributes:
        frame: columns `BAR_COLUMNS`, one row per session in ascending order; `session` datetime64[ns] at midnight
            without time zone, the others float64. Prices are split-adjusted, positive and never NaN; `dividends` and
            `stock_splits` are NaN throughout where the source does not report them.
        calendar: exchange calendar name of `exchange_calendars`, for example `XNYS`.
        currency: ISO code of the prices.
        dropped: sessions the source listed without a usable bar (NaN), and the reason for each.
    """

    frame: pd.DataFrame
    calendar: str
    currency: str
    dropped: dict[date, str] = field(default_factory=dict)


class Source(Protocol):
    """One source of bars."""

    name: str

    def fetch(self, ticker: str, start: date, end: date, *, now: datetime) -> Bars:
        """Bars of sessions in [start, end] that were complete at `now` (aware, UTC).

        Raises:
            UnknownTicker, NoDataInRange, RateLimited, Unreachable, MalformedData: as they say.
        """
        ...

    def last_session(self, ticker: str) -> date | None:
        """The newest session this source can ever give, or None where it follows the market."""
        ...


class SourceError(StockAssetsError):
    """A source could not deliver bars."""


class UnknownTicker(SourceError):
    """The source does not know this symbol."""


class NoDataInRange(SourceError):
    """The symbol exists, but has no bar between the dates asked for."""


class RateLimited(SourceError):
    """The source refuses for now because it was asked too often."""


class Unreachable(SourceError):
    """The source did not answer."""


class NoConnection(Unreachable):
    """The source could not even be asked: its name does not resolve, or the connection was refused."""


class MalformedData(SourceError):
    """The source answered with something that is not bars."""


class UnknownSource(StockAssetsError):
    """No price source of that name."""


class SourceNotConfigured(SourceError):
    """The source lacks something it needs before it can be asked, such as a folder."""


class UnknownExchange(SourceError):
    """The symbol trades on an exchange whose calendar is not known here."""
