"""Digits, significance in words, and tables that fit the window."""

import io

import pandas as pd
import pytest
from rich.console import Console

from stock_assets.cli.layout import Field, evidence, fit, number, percent, text


@pytest.mark.parametrize(
    ("p_value", "words"),
    [
        (None, "—"),
        (float("nan"), "—"),
        (0.5, "no evidence"),
        (0.05, "no evidence"),
        (0.03, "p = 0.03"),
        (0.0009, "p < 0.001"),
    ],
)
def test_only_what_counts_at_five_percent_gets_a_number(p_value: float | None, words: str) -> None:
    assert evidence(p_value) == words


@pytest.mark.parametrize(
    ("values", "shown"),
    [
        ([430.4712, 4.1], ["430.47", "4.10"]),
        ([4.5812, 4.6], ["4.581", "4.600"]),
        ([0.01234, 0.1], ["0.0123", "0.1000"]),
        ([12345.678], ["12,345.68"]),
        ([0.0], ["0.000"]),
        ([float("nan"), None, 1.0], ["—", "—", "1.000"]),
        ([-31.5], ["-31.50"]),
    ],
)
def test_a_column_of_numbers_has_the_same_sensible_digits(values: list[float], shown: list[str]) -> None:
    assert number("x")([{"x": value} for value in values]) == shown


def test_fractions_are_shown_in_percent_and_missing_values_as_a_dash() -> None:
    rows = [{"x": 0.0123}, {"x": float("nan")}]
    assert percent("x", 2, signed=True)(rows) == ["+1.23 %", "—"]
    assert text("x")([{"x": pd.NaT}, {"x": "AAPL"}]) == ["—", "AAPL"]


def test_a_narrow_window_loses_the_least_important_columns_first_and_never_cuts_a_number() -> None:
    fields = [Field(name, text(name), optional=rank) for name, rank in (("a", 0), ("b", 2), ("c", 1), ("d", 2))]
    rows = [dict.fromkeys("abcd", "1234567890")]
    headers = {
        width: [column.header for column in fit(fields, rows, Console(file=io.StringIO(), width=width)).columns]
        for width in (60, 30, 12, 5)
    }
    assert headers == {60: ["a", "b", "c", "d"], 30: ["a", "c"], 12: ["a"], 5: ["a"]}
