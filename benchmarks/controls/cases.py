"""Whose truth is known: simulated tickers, and bundled bars whose labels are shuffled before anything is learned."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from functools import cache

import pandas as pd

from stock_assets.forecasting.bars import BARS
from stock_assets.forecasting.findings import refuse
from stock_assets.forecasting.prices import RAW_COLUMNS, build_prices, check_prices, reconcile
from stock_assets.forecasting.sessions import sessions_between
from stock_assets.sources.sample import FIRST_SESSION, LAST_SESSION, SampleSource
from tests.synthetic import ar1_garch_bars, changing_volatility_bars, garch_bars

CALENDAR = "XNYS"
NOW = datetime(2026, 1, 2, tzinfo=UTC)
SESSIONS = 1256
"""Five years of sessions, as a default run fetches."""
SAMPLE_TICKERS = ("AAPL", "GOOG", "IBM", "MSFT")
SAMPLE_STEP = 250
"""Sessions between the starts of two windows of one bundled ticker."""


@dataclass(frozen=True)
class Control:
    """One kind of series whose truth is known.

    Attributes:
        name: of the control.
        title: what it is, for people.
        bars: makes the bars of one ticker from its number.
        is_permuted: whether every fit learns from shuffled labels.
    """

    name: str
    title: str
    bars: Callable[[int], pd.DataFrame]
    is_permuted: bool = False


@dataclass(frozen=True)
class Case:
    """One ticker of one control.

    Attributes:
        control: name of the control.
        number: which of its tickers; seeds its bars, its models and its shuffles.
        models: names of the models it is given to.
    """

    control: str
    number: int
    models: tuple[str, ...]

    @property
    def ticker(self) -> str:
        """Symbol of the made-up ticker."""
        return f"SIM{self.number:05d}"

    def prices(self) -> pd.DataFrame:
        """Its rows of table `prices`, made as a fetch would make them, on sessions of a real exchange.

        Raises:
            StockAssetsError: the bars are none that the platform would take.
        """
        bars = CONTROLS[self.control].bars(self.number).reset_index(drop=True)
        fetched = bars.assign(session=_sessions(len(bars)))[["session", *BARS]]
        stored = pd.DataFrame(columns=RAW_COLUMNS)
        raw = reconcile(stored, fetched, ticker=self.ticker, source="csv", fetched_at=NOW).rows
        prices = build_prices(raw, calendar=CALENDAR)
        refuse(check_prices(prices, CALENDAR), subject=f"prices of {self.ticker}")
        return prices


def sample_windows() -> list[tuple[str, int]]:
    """Every window of bundled bars: ticker and position of its first session."""
    return [
        (ticker, start)
        for ticker in SAMPLE_TICKERS
        for start in range(0, len(_sample(ticker)) - SESSIONS + 1, SAMPLE_STEP)
    ]


def _sample_window(number: int) -> pd.DataFrame:
    windows = sample_windows()
    ticker, start = windows[number % len(windows)]
    return _sample(ticker).iloc[start : start + SESSIONS]


@cache
def _sample(ticker: str) -> pd.DataFrame:
    return SampleSource().fetch(ticker, FIRST_SESSION, LAST_SESSION, now=NOW).frame


@cache
def _sessions(n: int) -> pd.DatetimeIndex:
    return sessions_between(CALENDAR, date(2010, 1, 4), date(2025, 12, 31))[:n]


CONTROLS = {
    control.name: control
    for control in (
        Control("null", "GARCH(1,1) random walks", lambda number: garch_bars("SIM", SESSIONS, seed=number)),
        Control(
            "planted",
            "AR(1) with R² 5 % and GARCH(1,1) innovations",
            lambda number: ar1_garch_bars("SIM", SESSIONS, seed=100_000 + number, r_squared=0.05),
        ),
        Control(
            "permuted",
            "GARCH(1,1) random walks, labels of every fit shuffled",
            lambda number: garch_bars("SIM", SESSIONS, seed=200_000 + number),
            is_permuted=True,
        ),
        Control("permuted_bundled", "bundled bars, labels of every fit shuffled", _sample_window, is_permuted=True),
        Control(
            "volatility",
            "random walks whose volatility jumps threefold and back",
            lambda number: changing_volatility_bars("SIM", SESSIONS, seed=300_000 + number),
        ),
    )
}
