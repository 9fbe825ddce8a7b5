"""What `benchmarks.bad_tickers` breaks, and how. Not a benchmark."""

import os
import signal
from dataclasses import dataclass
from typing import Any

import pandas as pd

BAD_MODEL, NEW_MODEL = "sarima", "brand_new"
UNKNOWN, SHORT, CORRUPT, ENDING, UNREADABLE, BUG, KILLED = BAD = [f"BAD{number}" for number in range(7)]
SAID = {
    UNKNOWN: ("raw_prices", f"has no {UNKNOWN}.csv"),
    SHORT: ("features", "sessions"),
    CORRUPT: ("prices", "cannot be read"),
    ENDING: ("", "is outside the calendar ENDING"),
    UNREADABLE: ("raw_prices", "is not text"),
    BUG: ("prices", "a bug: ZeroDivisionError"),
    KILLED: ("model/random_walk", "was killed, 3 times"),
}
"""Where each fails, and a part of the reason."""
MODEL_FILE = '''"""Tomorrow equals today, under another name: trained for nobody."""

from typing import ClassVar

from stock_assets.forecasting.models.random_walk import RandomWalk as _RandomWalk


class BrandNew(_RandomWalk):
    """As the random walk."""

    name: ClassVar[str] = "brand_new"
'''


@dataclass(frozen=True)
class Killing:
    """A unit that kills the process it is performed in."""

    def perform(self) -> None:
        """As an exhausted machine would."""
        os.kill(os.getpid(), signal.SIGKILL)


def update_with_faults() -> None:
    """The command `stock-assets` with what follows `-c` as its arguments, in a process in which three tickers fail."""
    import exchange_calendars
    from exchange_calendars.exchange_calendar_xnys import XNYSExchangeCalendar

    from stock_assets import cli
    from stock_assets.assets import prices
    from stock_assets.forecasting import updating
    from stock_assets.sources import csv

    class Ending(XNYSExchangeCalendar):  # type: ignore[misc]  # it has no types
        """New York's, known until the newest bar."""

        name = "ENDING"

        @classmethod
        def bound_max(cls) -> pd.Timestamp:
            return pd.Timestamp(os.environ["BAD_TICKERS_LAST"])

    exchange_calendars.register_calendar_type("ENDING", Ending)
    fetch, check, ask = csv.CsvSource.fetch, prices.check_prices, updating.AskUnit

    def fetched(self: Any, ticker: str, *args: Any, **more: Any) -> Any:
        bars = fetch(self, ticker, *args, **more)
        if ticker == ENDING:
            object.__setattr__(bars, "calendar", "ENDING")
        return bars

    def checked(bars: pd.DataFrame, *args: Any) -> Any:
        if (bars["ticker"] == BUG).any():
            raise ZeroDivisionError("division by zero")
        return check(bars, *args)

    def asked(fitted: Any, history: pd.DataFrame) -> Any:
        is_killed = fitted.forecaster.name == "random_walk" and (history["ticker"] == KILLED).any()
        return Killing() if is_killed else ask(fitted, history)

    csv.CsvSource.fetch = fetched  # type: ignore[method-assign]
    prices.check_prices = checked
    updating.AskUnit = asked  # type: ignore[misc,assignment]
    cli.main()
