from datetime import date
from urllib.parse import parse_qsl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dashboard.selection import Choices, Control, InvalidAddress, Selection, read_selection

NAMES = st.text("ABCZ^.-_019", min_size=1, max_size=8)
DATES = st.none() | st.dates()


@given(NAMES, st.lists(NAMES, max_size=3), DATES, DATES)
def test_a_selection_comes_back_from_its_address(
    ticker: str, models: list[str], start: date | None, end: date | None
) -> None:
    chosen = Selection(ticker, tuple(models), start, end)
    assert read_selection(dict(parse_qsl(chosen.query().removeprefix("?")))) == chosen


def test_nothing_chosen_needs_no_query() -> None:
    assert Selection().query() == ""


def test_a_date_that_is_none_is_named_with_the_cure() -> None:
    with pytest.raises(
        InvalidAddress, match=r"to='2024-13-01', expected a date like 2024-01-02 — correct or remove to"
    ):
        read_selection({"to": "2024-13-01"})


def test_a_choice_is_told_once_and_filling_the_widgets_is_no_choice() -> None:
    told: list[Selection] = []
    choices = Choices(tuple(Control), Selection("AAPL", ("sarima",)), told.append)
    choices.offer(["AAPL", "MSFT"], ["random_walk", "sarima"])
    assert told == []
    assert choices.models.value == ["sarima"]
    choices.ticker.value = "MSFT"
    choices.dates.value = (date(2024, 1, 2), date(2024, 2, 1))
    assert told == [
        Selection("MSFT", ("sarima",)),
        Selection("MSFT", ("sarima",), date(2024, 1, 2), date(2024, 2, 1)),
    ]
