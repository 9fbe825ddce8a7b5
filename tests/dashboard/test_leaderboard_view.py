from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from dashboard.page import Page
from dashboard.selection import Selection
from dashboard.store import Store
from dashboard.views._base import Context
from dashboard.views.leaderboard import Leaderboard
from stock_assets.settings import Settings
from storage.lake import Lake
from tests.dashboard.homes import add_ticker, publish
from tests.storage.frames import rows

MODELS = ["random_walk", "sarima", "xgboost"]


def add_scores(lake: Lake, ticker: str, p_values: list[float], *kinds: tuple[str, str]) -> None:
    """Scores of three models; the random walk's are not tested."""
    made = [
        rows("evaluation", 3, ticker=ticker, model=MODELS, scheme=scheme, role=role, std_ratio=[0, 0.1, 0.2]).assign(
            skill_vs_naive=[0.0, 0.001, -0.002], skill_lower=[np.nan, -0.001, -0.004], skill_upper=[np.nan, 0.003, 0.0],
            n=500,
            minimum_detectable_skill=0.005, clark_west_p=[np.nan, *p_values], mcs_p=[0.5, 1.0, 0.01],
            rmse=[1.0, 0.99, 1.02],
        )
        for scheme, role in kinds
    ]  # fmt: skip
    lake.write("evaluation", pd.concat(made, ignore_index=True), ticker=ticker)


@pytest.fixture
def context(tmp_path: Path) -> Context:
    """Two tickers: on AAPL nothing is better, on MSFT sarima is and has been made champion."""
    lake = add_ticker(tmp_path)
    add_scores(lake, "AAPL", [0.3, 0.6], ("walk_forward", "test"), ("holdout", "test"), ("holdout", "validation"))
    lake = add_ticker(tmp_path, "MSFT")
    add_scores(lake, "MSFT", [0.0001, 0.6], ("walk_forward", "test"))
    for ticker, model in (("AAPL", "random_walk"), ("MSFT", "sarima")):
        decided = rows("champion", 1, ticker=ticker, model=model, reason=f"{model} <b>because</b>")
        lake.append("champion", decided)
        fits = rows(
            "models", 2, ticker=ticker, model="sarima", kind=["evaluated", "final"], mlflow_run_id=["old", "new"]
        )
        lake.write("models", fits, ticker=ticker, model="sarima")
    pooled = rows("pooled_evaluation", 3, scheme="walk_forward", role="test").assign(model=MODELS, skill=[0, 0.1, -0.1])
    lake.write("pooled_evaluation", pooled, scheme="walk_forward")
    publish(tmp_path)
    return Context(Store(tmp_path), Settings(home=tmp_path, mlflow_ui="http://127.0.0.1:5999"))


def updated(context: Context, ticker: str) -> Leaderboard:
    view = Leaderboard(context)
    view.update(context.store.newest(), Selection(ticker=ticker))
    return view


def test_the_random_walk_is_pinned_on_top_and_the_others_follow_by_error(context: Context) -> None:
    table = updated(context, "AAPL").table.layout
    assert table.value["model"].tolist() == ["random_walk", "sarima", "xgboost"]
    assert table.frozen_rows == [0]
    assert table.value["verdict"].tolist() == ["benchmark", "no evidence (p = 0.30)", "no evidence (p = 0.60)"]
    assert table.value["in_set"].tolist() == ["yes", "yes", "no"]


def test_the_question_is_answered_in_a_sentence(context: Context) -> None:
    view = updated(context, "AAPL")
    assert view.sentence.text.startswith("Not shown: the random walk stays the champion of AAPL.")
    assert "On 500 walk-forward test sessions, none of 2 models passes" in view.sentence.text
    view.update(context.store.newest(), Selection(ticker="MSFT"))
    assert view.sentence.text.startswith("Yes: sarima has beaten it for MSFT")
    assert "up to 10 % of tickers" in view.sentence.text
    assert view.table.layout.value["champion"].tolist() == ["", "champion", ""]


def test_a_choice_of_rows_changes_the_scores_and_stays_while_a_ticker_has_them(context: Context) -> None:
    view = updated(context, "AAPL")
    assert list(view.rows.options) == ["walk-forward test", "holdout test", "holdout validation"]
    view.rows.value = ("holdout", "validation")
    assert "500 holdout validation sessions" in view.sentence.text
    view.update(context.store.newest(), Selection(ticker="MSFT"))
    assert view.rows.value == ("walk_forward", "test")


def test_each_model_leads_to_the_run_of_its_newest_tracked_fit(context: Context) -> None:
    runs = updated(context, "AAPL").table.layout.value.set_index("model")["run"]
    assert runs["sarima"] == "http://127.0.0.1:5999/#/runs/new"
    assert runs["xgboost"] == ""


def test_the_forest_shows_skill_intervals_the_zero_line_and_what_can_be_detected(context: Context) -> None:
    view = updated(context, "AAPL")
    assert view.forest.figure.y_range.factors == ["xgboost", "sarima", "random_walk"]
    assert (view.forest._noise.left, view.forest._noise.right) == (-0.005, 0.005)
    assert "sarima +0.10 %, -0.10 % to +0.30 %" in view.forest.figure.html_attributes["aria-label"]
    assert "0.50 %" in view.noise.text


def test_all_tickers_are_seen_together(context: Context) -> None:
    view = updated(context, "AAPL")
    assert view.champions.layout.value["ticker"].tolist() == ["AAPL", "MSFT"]
    assert view.pooled.layout.value["model"].tolist() == ["random_walk", "sarima", "xgboost"]
    assert "MSFT (sarima)" in view.found.text


def test_a_reason_from_data_is_text_and_never_markup(context: Context) -> None:
    view = updated(context, "AAPL")
    assert "<b>" not in view.reason._pane.object
    assert "&lt;b&gt;because" in view.reason._pane.object


def test_a_ticker_without_scores_is_a_state_with_its_cure(context: Context, tmp_path: Path) -> None:
    add_ticker(tmp_path, "NEW")
    publish(tmp_path)
    page = Page(Leaderboard(context), context, {"ticker": "NEW"})
    assert "NEW has no leaderboard yet" in page._problem.text
    assert "stock-assets run" in page._problem.text
