"""A run that failed as a whole marks its tickers; what failed is told once, by `failed_tickers` or here."""

from collections.abc import Callable

import dagster as dg
import pytest

from stock_assets import health
from stock_assets.assets import pooled_evaluation
from stock_assets.clock import Clock
from stock_assets.health import Failure
from stock_assets.resources import Warehouse
from stock_assets.sensors.failed_runs import failed_runs
from stock_assets.sensors.failed_tickers import failed_tickers
from tests.assets.conftest import Desk, finished, own_desk
from tests.sensors.conftest import NOW, Ask, begin_run

__all__ = ["finished", "own_desk"]


def tell_of_failure(desk: Desk, warehouse: Warehouse, run: dg.DagsterRun) -> None:
    """What the daemon does about a run that has failed."""
    failure = desk.instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE).records[0]
    event = failure.event_log_entry.dagster_event
    assert event is not None
    context = dg.build_run_status_sensor_context(
        sensor_name="failed_runs",
        dagster_event=event,
        dagster_instance=desk.instance,
        dagster_run=run,
        resources={"warehouse": warehouse, "clock": Clock(at=NOW.isoformat())},
    )
    with context.for_run_failure() as opened:
        failed_runs(opened)


def test_a_failed_ticker_is_announced_once_with_its_reason_and_cure(desk: Desk, warehouse: Warehouse, ask: Ask) -> None:
    assert desk.run("NOPE", job="fetch").reason is not None
    [run] = desk.instance.get_runs()
    assert run.status == dg.DagsterRunStatus.FAILURE
    for _ in range(2):
        tell_of_failure(desk, warehouse, run)
        told_until = ask(failed_tickers).cursor
    told = desk.lake.read("announcements")
    assert told["message"].tolist() == [
        "a ticker failed: NOPE: raw_prices: the sample bars have no 'NOPE'; expected one of AAPL, FB, GOOG, IBM, MSFT "
        "— choose one of these, or another source (--source yahoo, --source csv)"
    ]
    assert (told["kind"].tolist(), told["ticker"].tolist()) == (["failure"], ["NOPE"])
    assert ask(failed_tickers, cursor=told_until).skip_reason.skip_message == "1 failed tickers, no new one"


def test_the_failed_tickers_of_a_run_are_announced_together_when_it_is_over(
    list_ticker: Callable[..., None], desk: Desk, warehouse: Warehouse, ask: Ask
) -> None:
    for ticker in ("AAPL", "IBM", "MSFT"):
        list_ticker(ticker, "2024-03-04")
    run = begin_run(desk, "lineage", "AAPL", "IBM", "MSFT")
    for ticker in ("AAPL", "MSFT"):
        health.failed(desk.lake, ticker, Failure("splits", "too short", "fetch more"), run.run_id)
    warehouse.publish()
    waiting = ask(failed_tickers)
    assert desk.lake.read("announcements").empty, "more may follow"
    desk.instance.report_run_failed(run)
    told = ask(failed_tickers, cursor=waiting.cursor)
    together = "2 tickers failed:\nAAPL: splits: too short — fetch more\nMSFT: splits: too short — fetch more"
    assert desk.lake.read("announcements")["message"].tolist() == [together]
    # The run itself failed, too: only now is the third marked, and told of.
    tell_of_failure(desk, warehouse, run)
    ask(failed_tickers, cursor=told.cursor)
    first, second = sorted(desk.lake.read("announcements")["message"])
    assert first == together
    assert second.startswith("a ticker failed: IBM: lineage: ")


def test_a_ticker_that_fails_again_in_another_run_is_told_again(
    list_ticker: Callable[..., None], desk: Desk, warehouse: Warehouse, ask: Ask
) -> None:
    list_ticker("AAPL", "2024-03-04")
    cursor = None
    for _ in range(2):
        run = begin_run(desk, "lineage", "AAPL")
        desk.instance.report_run_failed(run)
        tell_of_failure(desk, warehouse, run)
        cursor = ask(failed_tickers, cursor=cursor).cursor
    assert len(desk.lake.read("announcements")) == 2
    list_ticker("AAPL", "2024-03-05")  # it is well again
    assert ask(failed_tickers, cursor=cursor).cursor == "{}"


def test_a_long_list_is_cut(list_ticker: Callable[..., None], warehouse: Warehouse, ask: Ask) -> None:
    for number in range(25):
        list_ticker(f"T{number:02}", None, status="failed", stage="splits", reason="no", cure="yes", run_id="gone")
    ask(failed_tickers)
    [message] = warehouse.lake.read("announcements")["message"]
    assert message.startswith("25 tickers failed:\nT00: splits: no — yes\n")
    assert message.endswith("T19: splits: no — yes\n… and 5 more")


def test_a_run_that_failed_for_no_ticker_is_announced_itself(desk: Desk, warehouse: Warehouse) -> None:
    run = begin_run(desk, "lineage", market="XTKS")
    desk.instance.report_run_failed(run)
    for _ in range(2):
        tell_of_failure(desk, warehouse, run)
    [message] = desk.lake.read("announcements")["message"]
    assert message.startswith("the run lineage failed: ")
    assert desk.lake.read("tickers").empty


def test_what_looks_at_all_tickers_fails_for_none(own_desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug in the pooled evaluation leaves the tickers well: all that is theirs was made."""

    def fail(*_: object, **__: object) -> None:
        raise RuntimeError("pooled wrongly")

    monkeypatch.setattr(pooled_evaluation, "pool", fail)
    outcome = own_desk.run("AAPL", job="forecast")
    assert "pooled_evaluation: RuntimeError: pooled wrongly" in str(outcome.reason)
    [run] = own_desk.instance.get_runs(limit=1)
    warehouse = Warehouse(home=str(own_desk.settings.home))
    tell_of_failure(own_desk, warehouse, run)
    assert own_desk.statuses() == {"AAPL": "ok"}
    [message] = own_desk.lake.read("announcements")["message"]
    assert message == "the run forecast failed: RuntimeError: pooled wrongly"


def test_a_ticker_that_another_run_has_made_well_since_is_not_blamed(
    list_ticker: Callable[..., None], desk: Desk, warehouse: Warehouse
) -> None:
    for ticker in ("AAPL", "IBM"):
        list_ticker(ticker, "2024-03-04")
    run = begin_run(desk, "lineage", "AAPL", "IBM")
    desk.instance.report_run_failed(run)
    health.succeeded(desk.lake, {"AAPL": "ok"}, {"forecasts"})  # a later run, which ended before the sensor looked
    tell_of_failure(desk, warehouse, run)
    status = desk.lake.read("tickers").set_index("ticker")["status"]
    assert status.to_dict() == {"AAPL": "ok", "IBM": "failed"}
