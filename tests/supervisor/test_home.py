"""Which home the screens show."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from stock_assets.supervisor.starting import choose_home
from storage.lake import Lake
from storage.universe import add_ticker


@pytest.fixture
def data(tmp_path: Path) -> Path:
    return tmp_path / "data"


@pytest.fixture
def demo(tmp_path: Path) -> Path:
    return tmp_path / "data-demo"


def _fill(home: Path) -> None:
    add_ticker(Lake(home / "lake"), "AAPL", "sample", now=datetime.now(UTC))


def test_a_home_that_somebody_named_is_taken_though_it_is_empty(data: Path, demo: Path) -> None:
    _fill(demo)
    choice = choose_home(data, is_given=True, demo=demo)
    assert (choice.home, choice.why) == (data, "STOCK_ASSETS_HOME names it")


def test_the_usual_home_is_taken_once_it_holds_a_ticker(data: Path, demo: Path) -> None:
    _fill(data)
    _fill(demo)
    choice = choose_home(data, is_given=False, demo=demo)
    assert (choice.home, choice.why) == (data, "the usual one, with 1 ticker")


def test_the_demo_is_shown_while_the_usual_home_holds_no_ticker(data: Path, demo: Path) -> None:
    (data / "lake").mkdir(parents=True)
    _fill(demo)
    choice = choose_home(data, is_given=False, demo=demo)
    assert choice.home == demo
    assert f"the demo's, since {data} holds no ticker yet" in choice.why


@pytest.mark.parametrize("is_clone", [True, False])
def test_without_any_ticker_the_cure_is_said(data: Path, demo: Path, is_clone: bool) -> None:
    choice = choose_home(data, is_given=False, demo=demo if is_clone else None)
    assert choice.home == data
    assert "`stock-assets run --ticker AAPL`" in choice.why
    assert ("`make demo`" in choice.why) is is_clone
