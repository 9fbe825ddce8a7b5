"""What a person has chosen, and its form in the address, so that a view can be shared."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from urllib.parse import urlencode

from stock_assets.errors import StockAssetsError


class InvalidAddress(StockAssetsError):
    """A page's address holds a value that cannot be used."""


@dataclass(frozen=True)
class Selection:
    """The choices that all pages share. What is empty is the first ticker, and the page's own models and sessions."""

    ticker: str = ""
    models: tuple[str, ...] = ()
    start: date | None = None
    end: date | None = None

    def query(self) -> str:
        """As in an address: `?ticker=AAPL&model=sarima,xgboost&from=2024-01-02`; empty where nothing is chosen."""
        values = {
            "ticker": self.ticker,
            "model": ",".join(self.models),
            "from": self.start.isoformat() if self.start else "",
            "to": self.end.isoformat() if self.end else "",
        }
        chosen = {name: value for name, value in values.items() if value}
        return f"?{urlencode(chosen, safe=',^')}" if chosen else ""


def read_selection(query: Mapping[str, str]) -> Selection:
    """The selection of an address; `InvalidAddress` for a date that is none."""
    return Selection(
        ticker=query.get("ticker", ""),
        models=tuple(filter(None, query.get("model", "").split(","))),
        start=_date("from", query.get("from", "")),
        end=_date("to", query.get("to", "")),
    )


def _date(name: str, given: str) -> date | None:
    try:
        return date.fromisoformat(given) if given else None
    except ValueError as error:
        raise InvalidAddress(
            f"the address has {name}={given!r}, expected a date like 2024-01-02", cure=f"correct or remove {name}"
        ) from error
