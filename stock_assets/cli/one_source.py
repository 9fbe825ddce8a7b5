"""One source a ticker: bars of two never mix in one home."""

from typing import TYPE_CHECKING

from stock_assets.errors import StockAssetsError

if TYPE_CHECKING:
    from storage.lake import Lake

_HAS_BARS = ("fetched", "ok")


class SourceIsFixed(StockAssetsError):
    """A ticker's bars come from one source for ever in one home."""


def require_one_source(lake: "Lake", ticker: str, source: str) -> None:
    """Refuse another source than the one a ticker's bars come from. An empty `source` asks for none.

    Raises:
        SourceIsFixed: names both.
    """
    fixed = _source_of_bars(lake, ticker) if source else None
    if fixed not in (None, source):
        raise SourceIsFixed(
            f"the bars of {ticker} in this home come from {fixed!r}, not {source!r}; two sources never mix",
            cure=f"leave --source out, or give {source} a home of its own: STOCK_ASSETS_HOME=<another folder>",
        )


def _source_of_bars(lake: "Lake", ticker: str) -> str | None:
    facts = lake.read("tickers", ticker=ticker)
    if len(facts) and facts["status"].iloc[0] in _HAS_BARS:
        return str(facts["source"].iloc[0])
    # A ticker that failed or was removed may have bars, and one that was only added may still change its source.
    stored = lake.read("raw_prices", ticker=ticker)
    return str(stored["source"].iloc[-1]) if len(stored) else None
