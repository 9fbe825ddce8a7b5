from pathlib import Path

import pytest

from dashboard.page import Page
from dashboard.selection import Selection
from dashboard.views._base import Context
from dashboard.views.forecast import Forecast
from storage import queries

pytestmark = pytest.mark.slow  # a real desk is run once for all of these


def test_the_random_walk_is_on_top_and_the_champion_is_said_in_a_sentence(context: Context) -> None:
    view = Forecast(context)
    shown = context.store.newest()
    view.update(shown, Selection(ticker="AAPL"))
    rows = view.table.layout.value
    assert rows["model"].iloc[0] == "random_walk"
    assert set(rows["model"]) == set(shown.get(queries.latest_forecasts, "AAPL")["model"])
    assert rows["verdict"].iloc[0] == "benchmark"
    assert "AAPL" in view.sentence.text
    assert "90 % of next sessions should close between $" in view.sentence.text


def test_charts_are_changed_in_place_and_say_in_words_what_they_show(context: Context) -> None:
    view = Forecast(context)
    shown = context.store.newest()
    view.update(shown, Selection(ticker="AAPL"))
    figure, before = view.candles.figure, view.candles.figure.html_attributes["aria-label"]
    view.update(shown, Selection(ticker="MSFT"))
    assert view.candles.figure is figure
    after = figure.html_attributes["aria-label"]
    assert "AAPL" in before
    assert "MSFT" in after


def test_an_empty_home_is_a_state_with_its_cure(empty_context: Context) -> None:
    page = Page(Forecast(empty_context), empty_context, {})
    assert "nothing has been published" in page._problem.text.lower()
    assert "stock-assets run" in page._problem.text
    assert page._body.visible is False


def test_an_unknown_ticker_and_a_wrong_date_in_the_address_are_said(context: Context) -> None:
    assert "'XXXX' is not in the universe" in Page(Forecast(context), context, {"ticker": "XXXX"})._problem.text
    wrong = Page(Forecast(context), context, {"from": "yesterday"})
    assert "from='yesterday'" in wrong._problem.text


def test_sample_data_is_said_above_everything(context: Context, desk: Path) -> None:
    page = Page(Forecast(context), context, {"ticker": "AAPL"})
    assert page._banner.text.startswith("Sample data")
    assert "Not investment advice" in page._age.text
