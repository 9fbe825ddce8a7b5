"""The contract of a page: one question, a layout that is built once, and `update`, which changes it in place."""

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass
from typing import ClassVar

import pandas as pd
from panel.viewable import Viewable

from dashboard.selection import Control, Selection
from dashboard.store import Snapshot, Store
from stock_assets.errors import StockAssetsError
from stock_assets.settings import Settings


class NothingToShow(StockAssetsError):
    """The tables have no rows for what was chosen; the page says so, and what would bring them."""


@dataclass(frozen=True)
class Context:
    """What a page is given when a session opens it: where frames come from, and the addresses of the other screens."""

    store: Store
    settings: Settings


class View(ABC):
    """One page.

    Class attributes:
        name: file stem and address.
        label, icon, order: its entry in the navigation (icons: names of Material Icons).
        question: the one it answers, its title; `{ticker}` is filled in.
        terms: entries of the glossary that it shows (`glossary.py`).
        needs_data: whether there is nothing to see before something is published.
    """

    name: ClassVar[str]
    label: ClassVar[str]
    icon: ClassVar[str]
    order: ClassVar[int]
    question: ClassVar[str]
    controls: ClassVar[tuple[Control, ...]] = (Control.TICKER,)
    terms: ClassVar[tuple[str, ...]] = ()
    needs_data: ClassVar[bool] = True

    def __init__(self, context: Context) -> None:
        self.context = context

    @abstractmethod
    def layout(self) -> Viewable:
        """What is shown below the title; called once a session."""

    def start(self) -> None:  # noqa: B027 (most pages have nothing to begin)
        """Begin what goes on while the page is open in a browser."""

    @abstractmethod
    def update(self, shown: Snapshot, selection: Selection) -> None:
        """Show what was chosen, in place. `selection.ticker` is a known one unless the page does without tickers.

        Raises:
            NothingToShow: there are no rows for it.
        """


def require(frame: pd.DataFrame, what: str, cure: str) -> pd.DataFrame:
    """The frame, if it has rows; `NothingToShow` where it has none."""
    if frame.empty:
        raise NothingToShow(what, cure=cure)
    return frame


def for_ticker(shown: Snapshot, query: Callable[..., pd.DataFrame], ticker: str, cure: str) -> pd.DataFrame:
    """A ticker's rows of a query; `NothingToShow` where it has none."""
    return require(shown.get(query, ticker), f"{ticker} has no {query.__name__.replace('_', ' ')} yet", cure)
