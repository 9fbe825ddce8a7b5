from datetime import date
from pathlib import Path

import numpy as np
import pytest

from dashboard.page import Page
from dashboard.selection import Selection
from dashboard.store import Store
from dashboard.views._base import Context, NothingToShow
from dashboard.views.backtest import Backtest
from stock_assets.settings import Settings
from tests.dashboard.published import FOLDS, GUESSING, KNOWING, TICKER, WALK, publish_backtest


@pytest.fixture(scope="module")
def tested(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """A home with a backtest of 90 sessions."""
    home = tmp_path_factory.mktemp("tested")
    publish_backtest(home)
    return Context(Store(home), Settings(home=home))


def shown(context: Context, **chosen: object) -> Backtest:
    view = Backtest(context)
    view.update(context.store.newest(), Selection(**{"ticker": TICKER, **chosen}))
    return view


def test_the_nearest_model_and_the_rows_it_was_judged_on_are_said(tested: Context) -> None:
    view = shown(tested)
    assert view.sentence.text.startswith("knowing was nearest to AAPL’s closes: its error is 5")
    assert "over 90 sessions" in view.sentence.text
    assert "90 sessions from 2024-01-03 to 2024-05-07, of the walk-forward backtest" in view.rows_said.text
    assert view.table.layout.value["model"].tolist() == [WALK, KNOWING, GUESSING]
    assert view.table.layout.value["skill_vs_naive"].to_numpy() == pytest.approx([0, 0.5, -0.5], abs=0.01)


def test_the_gain_rises_where_a_model_was_nearer_and_falls_where_it_was_not(tested: Context) -> None:
    source = shown(tested).gains._source.data
    by_model = dict(zip(source["model"], source["ys"], strict=True))
    assert (np.diff(by_model[KNOWING]) >= 0).all()
    assert (np.diff(by_model[GUESSING]) <= 0).all()


def test_shares_of_errors_add_up_to_all_sessions(tested: Context) -> None:
    errors = shown(tested).errors
    assert sum(errors._walk.data["share"]) == pytest.approx(1)
    assert [sum(ys) / 2 for ys in errors._lines.data["ys"]] == pytest.approx([1, 1])


def test_folds_and_regimes_have_a_bar_for_each_model(tested: Context) -> None:
    view = shown(tested)
    assert len(view.folds._source.data["x"]) == 2 * FOLDS
    assert view.folds.figure.x_range.factors[0] == ("2024-01", KNOWING)
    assert {group for group, _ in view.regimes.figure.x_range.factors} == {"calm", "middle", "restless"}
    coverage = view.coverage._source.data
    assert set(zip(coverage["group"], coverage["value"], strict=True)) == {
        ("calm", 0.95),
        ("middle", 0.9),
        ("restless", 0.8),
    }


def test_chosen_models_and_sessions_change_every_chart_in_place(tested: Context) -> None:
    view = Backtest(tested)
    newest = tested.store.newest()
    view.update(newest, Selection(ticker=TICKER))
    figures = [view.gains.figure, view.closes.figure, view.errors.figure, view.folds.figure]
    before = [figure.html_attributes["aria-label"] for figure in figures]
    chosen = Selection(ticker=TICKER, models=(GUESSING,), start=date(2024, 2, 1), end=date(2024, 2, 29))
    view.update(newest, chosen)
    assert view.gains._source.data["model"] == [GUESSING]
    assert len(view.closes._actual.data["x"]) == 21
    assert set(view.residuals._source.data["model"]) == {GUESSING}
    assert figures == [view.gains.figure, view.closes.figure, view.errors.figure, view.folds.figure]
    assert all(figure.html_attributes["aria-label"] != old for figure, old in zip(figures, before, strict=True))
    assert view.sentence.text.startswith("No model shown was nearer")


def test_without_a_backtest_the_holdout_is_shown_and_said(tmp_path: Path) -> None:
    publish_backtest(tmp_path, walk_forward=False)
    view = shown(Context(Store(tmp_path), Settings(home=tmp_path)))
    assert "30 sessions" in view.rows_said.text
    assert "of the holdout’s test rows; `stock-assets backtest` brings years of them" in view.rows_said.text
    assert view.folds.figure.visible is False
    assert "`stock-assets backtest` makes them" in view.no_folds.text


def test_models_or_sessions_without_rows_are_a_state_with_its_cure(tested: Context) -> None:
    with pytest.raises(NothingToShow, match="use one of random_walk, knowing, guessing"):
        shown(tested, models=("prophet",))
    with pytest.raises(NothingToShow, match="choose sessions between 2024-01-03 and 2024-05-07"):
        shown(tested, start=date(2030, 1, 1))
    page = Page(Backtest(tested), tested, {"ticker": TICKER, "model": f"{KNOWING},prophet"})
    assert page._problem.text == ""
    assert page.root.get_root() is not None
    assert "Not tested on them: prophet." in page.view.rows_said.text  # type: ignore[attr-defined]  # it is a Backtest


def test_the_random_walk_alone_is_shown(tested: Context) -> None:
    view = shown(tested, models=(WALK,))
    assert view.gains._source.data["model"] == []
    assert set(view.residuals._source.data["model"]) == {WALK}


def test_an_empty_home_is_a_state_with_its_cure(empty_context: Context) -> None:
    page = Page(Backtest(empty_context), empty_context, {})
    assert "stock-assets run" in page._problem.text
