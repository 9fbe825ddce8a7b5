"""What people choose above a page: ticker, models, sessions. Widgets on one side, a `Selection` on the other."""

from collections.abc import Callable, Collection
from datetime import date
from typing import Any

import panel as pn
import panel_material_ui as pmui

from dashboard.parts import ticker_field
from dashboard.selection import Selection
from dashboard.views._base import Control


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
        self.dates = pmui.DateRangePicker(label="Sessions", size="small", width=250, value=_range(selection))
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
            start=_date(start),
            end=_date(end),
        )
        self._changed(self.selection)


def _range(selection: Selection) -> tuple[date, date] | None:
    if selection.start is None and selection.end is None:
        return None
    return selection.start or date(1900, 1, 1), selection.end or date(2100, 1, 1)


def _date(value: Any) -> date | None:
    return date(value.year, value.month, value.day) if value is not None else None
