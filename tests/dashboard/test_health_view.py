from datetime import UTC, date, datetime
from pathlib import Path

import pandas as pd
import pytest

from dashboard.page import Page
from dashboard.pipeline import Pipeline
from dashboard.pipeline_runs import Run
from dashboard.selection import Selection
from dashboard.store import Store
from dashboard.views import _health_words as health_words
from dashboard.views._base import Context
from dashboard.views.health import Health
from dashboard.watch import Seen, Watch
from stock_assets.forecasting import drift
from stock_assets.settings import Settings
from storage.publisher import Publisher
from tests.dashboard.published import TICKER, publish_health
from tests.dashboard.servers import free_port
from tests.storage.frames import rows


@pytest.fixture(scope="module")
def watched(tmp_path_factory: pytest.TempPathFactory) -> Context:
    """A home with twelve checks of drift, an audit, decisions and announcements."""
    home = tmp_path_factory.mktemp("watched")
    publish_health(home)
    return Context(Store(home), Settings(home=home, evidently_ui="http://127.0.0.1:8123"))


def shown(context: Context) -> Health:
    view = Health(context)
    view.update(context.store.newest(), Selection(ticker=TICKER))
    return view


def test_the_question_is_answered_with_what_to_look_at(watched: Context) -> None:
    view = shown(watched)
    assert view.answer.text == "No: look at the inputs, stages and audit."
    assert view.states["inputs"].text == "Inputs: 1 of 4 have drifted. At 2024-03-18: gap."
    assert view.states["audit"].text == "Audit: 1 of 3 looks have failed. splits: second."
    assert view.states["pipeline"].text.startswith("Pipeline: the newest run ended well.")


def test_the_page_is_laid_out_and_shows_no_problem(watched: Context) -> None:
    page = Page(Health(watched), watched, {"ticker": TICKER})
    assert page._problem.text == ""
    assert page.root.get_root() is not None


def test_inputs_are_measured_in_thresholds_by_the_newest_check_alone(watched: Context) -> None:
    view = shown(watched)
    source = view.bars._source.data
    assert dict(zip(source["feature"], source["ratio"], strict=True)) == {
        "gap": 1.5,
        "volume": 0.5,
        "volatility": 0.25,
        "return": 0.1,
    }
    assert view.bars.figure.y_range.factors[-1] == "gap"
    assert view.share._source.data["share"].tolist() == [0] * 11 + [0.25]
    assert "Furthest: gap 1.50" in view.bars.figure.html_attributes["aria-label"]


def test_a_stage_that_has_not_kept_up_with_prices_is_named(watched: Context) -> None:
    stages = shown(watched).stages.layout.value.set_index("stage")
    assert stages.loc["features", "state"] == "up to date"
    assert stages.loc["forecasts", "state"] == "behind prices"
    assert stages.loc["forecasts", "newest"] == "2024-03-15"
    assert stages.loc["forecasts", "expected"] == "2024-03-18"
    assert stages.loc["predictions", "state"] == "none yet"
    assert stages.loc["scores", "expected"] == "2024-03-18"


def test_current_bars_are_up_to_date_and_old_ones_are_not() -> None:
    one = pd.DataFrame({"stage": ["prices"], "newest": [pd.Timestamp("2024-03-15")], "expected": [pd.NaT]})
    assert not health_words.freshness_rows(one, "yahoo", date(2024, 3, 18))["is_behind"].any()
    assert health_words.freshness_rows(one, "yahoo", date(2024, 4, 18))["is_behind"].all()
    assert not health_words.freshness_rows(one, "sample", date(2024, 4, 18))["is_behind"].any()


def test_failed_audits_come_first_and_decisions_newest_first(watched: Context) -> None:
    view = shown(watched)
    assert view.audit.layout.value["passed"].tolist() == ["✗ failed", "✓ passed", "✓ passed"]
    assert [(item.kind, item.message) for item in view.retraining.items] == [
        ("trained again", "Moved."),
        ("kept", "Quiet."),
    ]


def test_announcements_are_the_tickers_and_the_desks_and_never_markup(watched: Context) -> None:
    view = shown(watched)
    assert len(view.news.items) == 20
    html = view.news._pane.object
    assert "<b>" not in html
    assert "&lt;b&gt;bold&lt;/b&gt; &amp; <code>stock-assets run</code>" in html


def test_the_link_leads_to_evidently_as_people_open_it(watched: Context) -> None:
    assert '<a href="http://127.0.0.1:8123"' in shown(watched).report.object


def test_dagster_being_down_is_said_in_its_card_alone(watched: Context) -> None:
    view = shown(watched)
    nobody = Settings(home=watched.settings.home, dagster_api=f"http://127.0.0.1:{free_port()}")
    view.show_runs(Watch(Pipeline(nobody)).look())
    assert view.no_runs.text.startswith("Dagster is not running")
    assert "`stock-assets up`" in view.no_runs.text
    assert view.answer.text == "No: look at the inputs, stages and audit."


def test_runs_that_are_over_say_how_they_ended_and_why(watched: Context) -> None:
    view = shown(watched)
    at = datetime(2024, 3, 18, 21, 30, tzinfo=UTC)
    failed = Run(
        "r1",
        "forecast",
        "XNYS",
        (TICKER,),
        "FAILURE",
        at,
        at,
        at,
        0,
        0,
        (),
        "prices: <i>no</i> such ticker",
        "http://x",
    )
    view.show_runs(Seen(ended=(failed,)))
    assert view.no_runs.text == ""
    assert [(item.when, item.kind) for item in view.runs.items] == [("2024-03-18 21:30 UTC", "AAPL · daily update")]
    assert "failed: prices: &lt;i&gt;no&lt;/i&gt; such ticker" in view.runs._pane.object


def test_a_run_that_ended_well_says_how_many_tickers_failed_in_it(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path)
    for ticker, status, run_id in ((TICKER, "ok", None), ("MSFT", "failed", "r1"), ("IBM", "failed", "r1")):
        publisher.lake.write("tickers", rows("tickers", 1, ticker=ticker, status=status, run_id=run_id), ticker=ticker)
    publisher.publish()
    view = shown(Context(Store(tmp_path), Settings(home=tmp_path)))
    at = datetime(2024, 3, 18, 21, 30, tzinfo=UTC)
    names = (TICKER, "MSFT", "IBM")
    view.show_runs(Seen(ended=(Run("r1", "forecast", "XNYS", names, "SUCCESS", at, at, at, 0, 0, (), None, "x"),)))
    [item] = view.runs.items
    assert (item.kind, item.message) == ("XNYS, 3 tickers · daily update", "done in 0 s, 2 tickers failed")


def test_of_one_published_file_no_runs_are_asked_for(watched: Context) -> None:
    file = max(watched.settings.home.glob("published/*.duckdb"))
    view = shown(Context(Store(file), watched.settings))
    view.start()
    view.tick()
    assert view.no_runs.text.startswith("This dashboard shows one published file.")


def test_a_ticker_without_anything_is_a_state_with_its_cure(tmp_path: Path) -> None:
    publisher = Publisher(tmp_path)
    why = {"stage": "raw_prices", "reason": "Yahoo knows no such ticker", "cure": "check the symbol"}
    failed = rows("tickers", 1, status="failed", **why)
    publisher.lake.write("tickers", failed, ticker=TICKER)
    publisher.publish()
    view = shown(Context(Store(tmp_path), Settings(home=tmp_path)))
    assert view.answer.text == "No: look at the stages and pipeline."
    assert view.states["pipeline"].text == (
        "Pipeline: the ticker failed. raw_prices: Yahoo knows no such ticker — check the symbol"
    )
    assert view.bars.figure.visible is False
    assert "`stock-assets run` checks them" in view.no_drift.text
    assert "`stock-assets audit`" in view.no_audit.text
    assert "No decision yet" in view.retraining._pane.object


def test_an_empty_home_is_a_state_with_its_cure(empty_context: Context) -> None:
    page = Page(Health(empty_context), empty_context, {})
    assert "stock-assets run" in page._problem.text


def test_the_share_that_counts_as_drift_is_the_pipelines() -> None:
    assert health_words.SHARE == drift.SHARE
