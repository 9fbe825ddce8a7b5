"""Bars: the names of their columns, and what makes one impossible. Shared by every source and by `prices`."""

from typing import NamedTuple

import numpy as np
import pandas as pd

PRICE_COLUMNS = ["open", "high", "low", "close", "adj_close"]
OTHER_COLUMNS = ["volume", "dividends", "stock_splits"]
BARS = [*PRICE_COLUMNS, *OTHER_COLUMNS]


class InvalidBar(NamedTuple):
    """A bar that cannot be true: row position and column in the frame, and a sentence with value and expectation."""

    position: int
    column: str
    problem: str


def first_invalid_bar(bars: pd.DataFrame) -> InvalidBar | None:
    """First bar that cannot be true: numbers, positive prices, high ≥ low, one bar per session.

    This is what is refused at the door. What can be true but looks wrong is left to `check_prices`.
    """
    checked = [*PRICE_COLUMNS, "volume"]
    values = bars[checked].to_numpy(dtype="float64")
    wrong = ~np.isfinite(values)
    wrong[:, :-1] |= values[:, :-1] <= 0
    wrong[:, -1] |= values[:, -1] < 0
    if wrong.any():
        row, column = (int(place) for place in np.argwhere(wrong)[0])
        expected = "a number that is not negative" if checked[column] == "volume" else "a positive number"
        return InvalidBar(row, checked[column], f"{values[row, column]:g} on {_day(bars, row)}; expected {expected}")
    crossed = np.flatnonzero(bars["high"] < bars["low"])
    if len(crossed):
        row = int(crossed[0])
        high, low = bars["high"].iloc[row], bars["low"].iloc[row]
        return InvalidBar(row, "high", f"{high:g} on {_day(bars, row)} is below the low {low:g}")
    repeated = np.flatnonzero(bars["session"].duplicated())
    if len(repeated):
        row = int(repeated[0])
        return InvalidBar(row, "session", f"{_day(bars, row)} is there twice; expected one bar per session")
    return None


def _day(bars: pd.DataFrame, row: int) -> str:
    return f"{bars['session'].iloc[row]:%Y-%m-%d}"
