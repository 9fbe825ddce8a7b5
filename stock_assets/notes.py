"""What Dagster's UI shows of a step over many tickers: metadata made of what each body noted."""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import pandas as pd

_FACTS_SHOWN = 200  # tickers in a table


def first_lines(lines: Sequence[str], at_most: int = 20) -> list[str]:
    """The first of many lines, and one that says how many more there are."""
    more = [f"… and {len(lines) - at_most} more"] if len(lines) > at_most else []
    return [*lines[:at_most], *more]


def marks_metadata(of: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """Name → ticker → number, without those that are 0: `sensors/_materialized.py` reads them back."""
    names = dict.fromkeys(name for marks in of.values() for name in marks)
    found = {name: {ticker: marks[name] for ticker, marks in of.items() if marks.get(name)} for name in names}
    return {name: dg.MetadataValue.json(by_ticker) for name, by_ticker in found.items() if by_ticker}


def notes_metadata(notes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Of one ticker all its notes; of several, a table of what is short enough for one."""
    if len(notes) == 1:
        (only,) = notes.values()
        return dict(only)
    short = {
        ticker: {name: value for name, value in of.items() if isinstance(value, (str, int, float, bool))}
        for ticker, of in sorted(notes.items())[:_FACTS_SHOWN]
    }
    frame = pd.DataFrame.from_dict(short, orient="index")
    return {} if frame.empty else {"by_ticker": dg.MetadataValue.md(frame.to_markdown())}
