"""How numbers and tables look on a terminal: sensible digits, right-aligned, never wider than the window."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    from rich.console import Console
    from rich.table import Table

MISSING = "—"
ALPHA = 0.05
_UNLIMITED = 10_000
Row = dict[str, Any]


@dataclass(frozen=True)
class Field:
    """One column of a printed table.

    Attributes:
        cells: texts of the column for all rows, so that a column can choose its digits once.
        optional: 0 is always shown; of the others the highest number is left out first where the window is narrow.
    """

    header: str
    cells: Callable[[Sequence[Row]], list[str]]
    optional: int = 0
    left: bool = False


def is_missing(value: Any) -> bool:
    """Whether a cell has no value: None, NaN or NaT, which alone differ from themselves."""
    differs = value is None or value != value
    return not hasattr(differs, "__len__") and bool(differs)  # an array is a value


def text(column: str) -> Callable[[Sequence[Row]], list[str]]:
    """The column as it is."""
    return lambda rows: [MISSING if is_missing(row[column]) else str(row[column]) for row in rows]


def number(column: str) -> Callable[[Sequence[Row]], list[str]]:
    """Four significant digits of the column's largest value, at least two decimals, the same for every row."""
    return lambda rows: _numbers([row[column] for row in rows])


def percent(column: str, decimals: int = 1, signed: bool = False) -> Callable[[Sequence[Row]], list[str]]:
    """A fraction in percent."""
    sign = "+" if signed else ""
    return lambda rows: [
        MISSING if is_missing(row[column]) else f"{100 * row[column]:{sign}.{decimals}f} %" for row in rows
    ]


def day(value: date | datetime) -> str:
    """ISO date."""
    return f"{value:%Y-%m-%d}"


def evidence(p_value: float | None) -> str:
    """A p-value in words: only what would count at 5 % is worth a number."""
    if is_missing(p_value) or p_value is None:
        return MISSING
    if p_value >= ALPHA:
        return "no evidence"
    return "p < 0.001" if p_value < 0.001 else f"p = {p_value:.3f}".rstrip("0")


def grid(*headers: str, **options: Any) -> "Table":
    """A table without lines, its columns two spaces apart."""
    from rich.table import Table

    return Table(*headers, box=None, pad_edge=False, padding=(0, 2, 0, 0), **({"header_style": "bold"} | options))


def records(frame: "pd.DataFrame") -> list[Row]:
    """The frame's rows by the names of its columns."""
    return [{str(name): value for name, value in row.items()} for row in frame.to_dict(orient="records")]


def fit(fields: Sequence[Field], rows: Sequence[Row], console: "Console") -> "Table":
    """A table of the fields that fit the console; optional ones are left out from the least important on."""
    shown = list(fields)
    while True:
        table = _build(shown, rows)
        least = max(field.optional for field in shown)
        if not least or _is_within(table, console):
            return table
        shown = [field for field in shown if field.optional < least]


def _is_within(table: "Table", console: "Console") -> bool:
    return console.measure(table, options=console.options.update_width(_UNLIMITED)).maximum <= console.width


def _build(fields: Sequence[Field], rows: Sequence[Row]) -> "Table":
    table = grid()
    for field in fields:
        table.add_column(field.header, justify="left" if field.left else "right", no_wrap=True)
    for cells in zip(*(field.cells(rows) for field in fields), strict=True):
        table.add_row(*cells)
    return table


def _numbers(values: Sequence[float | None]) -> list[str]:
    known = [abs(value) for value in values if value is not None and not is_missing(value)]
    largest = max(known, default=0.0)
    whole_digits = math.floor(math.log10(largest)) + 1 if largest > 0 else 1
    decimals = min(max(4 - whole_digits, 2), 6)
    return [MISSING if value is None or is_missing(value) else f"{value:,.{decimals}f}" for value in values]


def plain(names: Sequence[str], rows: Sequence[Row], console: "Console") -> "Table":
    """Any rows as a table; where that is too wide for the window, one line per value, row by row."""
    from rich.text import Text

    cells = [[_cell(row[name]) for name in names] for row in rows]
    table = grid()
    for name in names:
        is_number = all(isinstance(row[name], int | float) or is_missing(row[name]) for row in rows)
        table.add_column(Text(name), justify="right" if is_number and rows else "left", no_wrap=True)
    for line in cells:
        table.add_row(*map(Text, line))
    if not rows or _is_within(table, console):
        return table
    upright = grid(show_header=False)
    for line in cells:
        for name, cell in zip(names, line, strict=True):
            upright.add_row(Text(name, style="bold"), Text(cell))
        upright.add_row()
    return upright


def _cell(value: Any) -> str:
    if is_missing(value):
        return MISSING
    if isinstance(value, float):  # without separators, like integers: these cells are copied into other programs
        return f"{value:.6g}" if abs(value) < 1e6 else f"{value:.0f}"
    return str(value)
