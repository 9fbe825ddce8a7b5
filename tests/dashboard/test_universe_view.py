"""The page *Universe* without a browser: what it shows, what it allows, and what its buttons do."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from dashboard.page import Page
from dashboard.pipeline_runs import Run
from dashboard.run_list import RunList, describe, title
from dashboard.selection import Selection
from dashboard.store import Store
from dashboard.views._base import Context
from dashboard.views.universe import SOURCES, Universe, rows
from dashboard.watch import Seen
from stock_assets.settings import Settings
from stock_assets.sources import source_names
from storage import table
from storage.lake import Lake
from storage.publisher import Publisher
from storage.universe import add_ticker
from tests.dashboard.servers import free_port
from tests.storage.frames import rows as rows_of

PATIENCE_S = 60
NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


def run(status: Any, **more: Any) -> Run:
    facts: dict[str, Any] = {
        "run_id": "r1",
        "job": "forecast",
        "market": "XNYS",
        "tickers": ("AAPL",),
        "requested_at": NOW,
        "started_at": NOW,
        "ended_at": None,
        "steps": 19,
        "steps_done": 0,
        "running": (),
        "reason": None,
        "url": "http://127.0.0.1:3000/runs/r1",
    }
    return Run(status=status, **(facts | more))


def tick_until(view: Universe, holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE_S
    while not holds():
        assert time.monotonic() < deadline, (view.state.text, view.answer.text)
        time.sleep(0.05)
        view.tick()


@pytest.fixture
def alone(tmp_path: Path) -> Context:
    """An empty home whose Dagster is not running."""
    settings = Settings(home=tmp_path / "home", source="sample", dagster_api=f"http://127.0.0.1:{free_port()}")
    settings.home.mkdir()
    return Context(Store(settings.home), settings)


def publish(context: Context, *tickers: str) -> None:
    for ticker in tickers:
        add_ticker(Lake(context.settings.lake_dir), ticker, now=NOW)
    Publisher(context.settings.home).publish()


def fail(context: Context, ticker: str, *, run_id: str) -> None:
    row = {"ticker": ticker, "calendar": None, "currency": None, "source": "sample", "status": "failed"}
    why = {"stage": "raw_prices", "reason": f"the bundled sample has no {ticker}", "cure": "choose another"}
    failed = pd.DataFrame([row | why | {"run_id": run_id, "updated_at": pd.Timestamp(NOW)}])
    Lake(context.settings.lake_dir).write("tickers", failed, ticker=ticker)


def test_an_empty_home_can_be_given_its_first_ticker(alone: Context) -> None:
    page = Page(Universe(alone), alone, {})
    assert "nothing has been published" in page._problem.text.lower()
    assert page._body.visible
    view = page.view
    assert isinstance(view, Universe)
    view.typed.value_input = " aapl "
    view.add.clicks += 1
    tick_until(view, lambda: bool(view.answer.text))
    assert view.answer.text.startswith("AAPL is in the universe.")
    page.refresh()
    assert not page._problem.text
    assert view.table.layout.value[["ticker", "status"]].to_numpy().tolist() == [["AAPL", "… added"]]
    assert view.ticker.options == ["AAPL"]


def test_a_name_that_is_no_ticker_is_refused_with_the_rule_and_nothing_is_written(alone: Context) -> None:
    view = Universe(alone)
    view.typed.value_input = "../x"
    view.add.clicks += 1
    tick_until(view, lambda: bool(view.answer.text))
    assert "'../x' is not a ticker: expected 1–20 of A–Z" in view.answer.text
    assert not alone.settings.lake_dir.exists()


def test_a_ticker_that_is_there_stays_as_it_is(alone: Context) -> None:
    publish(alone, "AAPL")
    view = Universe(alone)
    view.typed.value_input = "AAPL"
    view.add.clicks += 1
    tick_until(view, lambda: bool(view.answer.text))
    assert view.answer.text == "AAPL is in the universe already."
    assert table("tickers", home=alone.settings.home)["updated_at"].tolist() == [pd.Timestamp(NOW)]


def test_without_dagster_the_page_says_how_to_start_it_and_only_adding_is_possible(alone: Context) -> None:
    publish(alone, "AAPL")
    view = Universe(alone)
    view.update(alone.store.newest(), Selection())
    assert all(button.disabled for button in (view.refresh_now, view.retrain, view.remove))
    tick_until(view, lambda: bool(view.state.text))
    assert view.state.text.startswith("Dagster is not running: nothing answers at http://127.0.0.1:")
    assert "`stock-assets up`" in view.state.text
    assert all(button.disabled for button in (view.refresh_now, view.retrain, view.remove))
    assert not view.add.disabled


def test_one_published_file_can_only_be_looked_at(alone: Context) -> None:
    publish(alone, "AAPL")
    context = Context(Store(alone.settings.home / "warehouse.duckdb"), alone.settings)
    view = Universe(context)
    shown = view.layout().select(lambda part: part in (view.add, view.refresh_now, view.retrain, view.remove))
    assert shown == []
    assert "one published file" in view.state.text
    view.update(context.store.newest(), Selection())
    view.tick()
    assert view.table.layout.value["ticker"].tolist() == ["AAPL"]


def test_what_a_run_would_disturb_is_not_offered_while_one_is_under_way(alone: Context) -> None:
    publish(alone, "AAPL", "IBM")
    view = Universe(alone)
    view.update(alone.store.newest(), Selection(ticker="IBM"))
    assert view.ticker.value == "IBM"
    view._seen = Seen(under_way=(run("STARTED", tickers=("ACME", "IBM")),))
    view._allow()
    assert view.refresh_now.disabled
    view.ticker.value = "AAPL"
    assert not view.refresh_now.disabled


def test_training_and_removing_are_asked_first_for_the_ticker_that_was_chosen(alone: Context) -> None:
    publish(alone, "AAPL", "IBM")
    view = Universe(alone)
    view.update(alone.store.newest(), Selection(ticker="AAPL"))
    view._seen = Seen()
    view._allow()
    for button, verb in ((view.retrain, "Train"), (view.remove, "Remove")):
        button.clicks += 1
        assert view.confirm.yes.label == verb
        assert view._work is None
        view.confirm.no.clicks += 1
        assert view._work is None
    view.remove.clicks += 1
    view.ticker.value = "IBM"  # another choice takes the question back
    view.confirm.yes.clicks += 1
    assert view._work is None
    assert set(table("tickers", home=alone.settings.home)["ticker"]) == {"AAPL", "IBM"}


def test_a_daemon_that_sleeps_is_said(alone: Context) -> None:
    view = Universe(alone)
    view._tell(Seen(sleeping=("sensors", "queued runs")))
    assert "daemon is not running, so sensors and queued runs wait" in view.state.text
    view._tell(Seen())
    assert view.state.text == ""


def test_a_failed_ticker_shows_its_reason_in_the_table_and_in_full_below_the_choice(alone: Context) -> None:
    reason = "raw_prices: the bundled sample has no ZZZZ — choose another"
    fail(alone, "ZZZZ", run_id="r1")
    publish(alone)
    view = Universe(alone)
    view.update(alone.store.newest(), Selection())
    [shown] = view.table.layout.value.to_dict(orient="records")
    assert (shown["status"], shown["reason"], shown["updated"]) == ("✗ failed", reason, "2026-03-02 12:00")
    assert view.why.text == f"ZZZZ failed. {reason}"


def test_every_source_is_offered() -> None:
    assert sorted(SOURCES.values()) == sorted(source_names())


def test_the_newest_session_stands_beside_its_ticker() -> None:
    facts = {"status": "ok", "source": "sample", "calendar": "XNYS", "updated_at": pd.Timestamp(NOW)}
    universe = pd.DataFrame([facts | {"ticker": ticker} for ticker in ("AAPL", "IBM")])
    newest = pd.DataFrame({"ticker": ["IBM"], "newest_session": [pd.Timestamp("2013-03-01")]})
    shown = rows(universe, newest).set_index("ticker")["newest"]
    assert shown["IBM"] == "2013-03-01"
    assert pd.isna(shown["AAPL"])


@pytest.mark.parametrize(
    ("status", "more", "expected"),
    [
        ("QUEUED", {}, "in the queue"),
        ("STARTING", {}, "starting"),
        (
            "STARTED",
            {"steps_done": 7, "running": ("model/xgboost", "features")},
            "7 of 19 steps · model/xgboost, features",
        ),
        ("CANCELING", {}, "stopping"),
        ("CANCELED", {}, "stopped"),
        ("SUCCESS", {"ended_at": NOW + timedelta(seconds=38)}, "done in 38 s"),
        ("SUCCESS", {"ended_at": NOW + timedelta(minutes=7)}, "done in 7 min"),
        ("SUCCESS", {"ended_at": NOW + timedelta(seconds=38), "n_failed": 2}, "done in 38 s, 2 tickers failed"),
        ("SUCCESS", {"ended_at": NOW + timedelta(seconds=38), "n_failed": 1}, "done in 38 s, 1 ticker failed"),
        ("FAILURE", {"reason": "prices: why", "n_failed": 2}, "failed: prices: why"),
    ],
)
def test_a_run_is_described_in_one_line(status: str, more: dict[str, Any], expected: str) -> None:
    assert describe(run(status, **more)) == expected


def test_a_list_of_runs_changes_in_place_and_what_data_says_is_no_markup() -> None:
    stopped = []
    listed = RunList(stopped.append)
    listed.show([run("STARTED", steps_done=4)])
    [before] = listed.__panel__().objects
    listed.show([run("FAILURE", reason="<script>alert(1)</script>")])
    [after] = listed.__panel__().objects
    assert after is before
    [row] = listed._rows.values()
    assert "&lt;script&gt;" in row._line.object
    assert "<script>" not in row._line.object
    listed.show([run("STARTED", run_id="r2", market=None, tickers=(), job="upkeep"), row.run])
    assert listed.lines[0] == "All tickers · weekly upkeep · 0 of 19 steps"
    row._stop.clicks += 1
    assert stopped == [row.run]


@pytest.mark.parametrize(
    ("about", "expected"),
    [
        ({"tickers": ("AAPL",)}, "AAPL · training"),
        ({"tickers": tuple(f"T{i}" for i in range(12))}, "XNYS, 12 tickers · training"),
        ({"tickers": ()}, "XNYS · training"),
    ],
)
def test_a_run_is_named_by_what_it_is_about(about: dict[str, Any], expected: str) -> None:
    assert title(run("QUEUED", job="train", **about)) == expected


def test_a_run_is_about_the_tickers_it_names_or_all_of_its_market() -> None:
    some = run("STARTED", tickers=("AAPL", "IBM"))
    assert some.is_about("IBM", "XNYS")
    assert some.is_about("IBM", None)
    assert not some.is_about("MSFT", "XNYS")
    whole = run("STARTED", tickers=())
    assert whole.is_about("MSFT", "XNYS")
    assert not whole.is_about("SAP.DE", "XETR")
    assert whole.is_about("NEW", None)  # it may trade there
    assert not run("STARTED", market=None, tickers=(), job="upkeep").is_about("AAPL", None)


def test_a_run_of_a_whole_market_keeps_its_tickers_from_others(alone: Context) -> None:
    for ticker, calendar in (("AAPL", "XNYS"), ("SAP.DE", "XETR")):
        row = rows_of("tickers", 1, ticker=ticker, calendar=calendar, status="ok")
        Lake(alone.settings.lake_dir).write("tickers", row, ticker=ticker)
    publish(alone)
    view = Universe(alone)
    view.update(alone.store.newest(), Selection(ticker="AAPL"))
    view._seen = Seen(under_way=(run("STARTED", tickers=()),))
    view._allow()
    assert view.remove.disabled
    view.ticker.value = "SAP.DE"
    assert not view.remove.disabled


def test_a_run_that_ended_well_says_how_many_tickers_failed_in_it_until_they_recover(alone: Context) -> None:
    for ticker, run_id in (("AAAA", "r1"), ("BBBB", "r1"), ("CCCC", "r0")):
        fail(alone, ticker, run_id=run_id)
    publish(alone)
    view = Universe(alone)
    view._seen = Seen(ended=(run("SUCCESS", tickers=(), ended_at=NOW + timedelta(seconds=38)),))
    view.update(alone.store.newest(), Selection())
    assert view.runs.lines == ["XNYS · daily update · done in 38 s, 2 tickers failed"]
    [row] = view.runs._rows.values()
    assert "✓" not in row._line.object
    for ticker in ("AAAA", "BBBB"):
        fail(alone, ticker, run_id="r2")
    publish(alone)
    view.update(alone.store.newest(), Selection())
    assert view.runs.lines == ["XNYS · daily update · done in 38 s"]
    assert "✓" in row._line.object
