"""What people choose above a page: the widgets, the choice, and its form in the address, so that it can be shared."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import date
from enum import StrEnum
from typing import Any
from urllib.parse import urlencode

import panel as pn
import panel_material_ui as pmui

from dashboard.parts import ticker_field
from stock_assets.errors import StockAssetsError


class InvalidAddress(StockAssetsError):
    """A page's address holds a value that cannot be used."""


class Control(StrEnum):
    """What a page lets people choose, above it."""

    TICKER = "ticker"
    MODELS = "models"
    DATES = "dates"


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
        problem = f"the address has {name}={given!r}, expected a date like 2024-01-02"
        raise InvalidAddress(problem, cure=f"correct or remove {name}") from error


class Choices:
    """The widgets of one page: those of `controls`; the others keep what the address said.

    `changed` is called with the new selection after a person chose.
    """

    def __init__(
        self, controls: Collection[Control], selection: Selection, changed: Callable[[Selection], None]
    ) -> None:
        self.selection = selection
        self._changed = changed
        self._filling = False
        self.ticker = ticker_field(width=170)
        self.models = pmui.MultiChoice(label="Models", visual_size="small", min_width=220, max_width=520)
        ends = (selection.start or date(1900, 1, 1), selection.end or date(2100, 1, 1))
        shown = ends if selection.start or selection.end else None
        self.dates = pmui.DateRangePicker(label="Sessions", size="small", width=250, value=shown)
        widgets = {Control.TICKER: self.ticker, Control.MODELS: self.models, Control.DATES: self.dates}
        self.layout = pn.FlexBox(*(widgets[control] for control in Control if control in controls), gap="8px")
        for widget in widgets.values():
            widget.param.watch(self._read, "value")

    def offer(self, tickers: list[str], models: list[str]) -> None:
        """What there is to choose from; what is chosen stays."""
        self._filling = True
        self.ticker.options = tickers
        self.ticker.value = self.selection.ticker if self.selection.ticker in tickers else None
        self.models.options = models
        self.models.value = [model for model in self.selection.models if model in models]
        self._filling = False

    def _read(self, _: Any) -> None:
        if self._filling:
            return
        start, end = self.dates.value or (None, None)
        self.selection = Selection(
            ticker=self.ticker.value or self.selection.ticker,
            models=tuple(self.models.value),
            start=_day(start),
            end=_day(end),
        )
        self._changed(self.selection)


def _day(value: Any) -> date | None:
    return date(value.year, value.month, value.day) if value is not None else None
