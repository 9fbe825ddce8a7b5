"""One bad ticker stops no other: what a run does about a body that fails, on a real instance and a real lake."""

from collections.abc import Callable

import dagster as dg
import pandas as pd
import pytest

from stock_assets import health
from stock_assets.bodies import Made, OneTicker
from stock_assets.forecasting.findings import Finding
from stock_assets.health import Failure
from stock_assets.resources import Universe
from tests.assets.conftest import Desk
from tests.assets.made_up import (
    JOB,
    TooBad,
    add,
    checks,
    failing,
    failure_of,
    held,
    made,
    metadata,
    plain,
    run,
    step,
    warnings_of,
)

EXPECTED = TooBad("its bars are bad", cure="fetch better ones")
SAID = {
    "expected": "prices: its bars are bad — fetch better ones",
    "bug": "prices: a bug: ZeroDivisionError: division by zero — see the trace in the run's log, and report it",
}


def _raise_expected() -> Exception:
    return EXPECTED


def _raise_bug() -> Exception:
    return ZeroDivisionError("division by zero")


@pytest.mark.parametrize(
    ("error", "line"), [(_raise_expected, SAID["expected"]), (_raise_bug, SAID["bug"])], ids=["expected", "bug"]
)
def test_a_failing_ticker_is_out_of_the_run_keeps_its_rows_and_is_named_everywhere(
    desk: Desk, error: Callable[[], Exception], line: str
) -> None:
    add(desk, "AAA", "BAD", "CCC")
    assert run(desk, step(plain)).success
    before = desk.lake.read("prices", ticker="BAD")
    seen: list[str] = []

    def later(one: OneTicker) -> Made:
        seen.append(one.ticker)
        return made(one, "features")

    result = run(desk, step(failing(error, "BAD")), step(later, "features", reads=["prices"]))

    assert result.success, "one bad ticker is no failed run"
    assert seen == ["AAA", "CCC"]
    pd.testing.assert_frame_equal(desk.lake.read("prices", ticker="BAD"), before)
    assert held(desk, "features") == {"AAA": 3, "CCC": 3}
    assert failure_of(desk, "BAD") == line
    assert desk.lake.read("tickers", ticker="BAD")["run_id"].tolist() == [result.run_id]
    assert desk.statuses() == {"AAA": "ok", "BAD": "failed", "CCC": "ok"}
    for asset in ("prices", "features"):
        complete = checks(result, asset)["complete"]
        assert (complete.passed, complete.severity) == (False, dg.AssetCheckSeverity.ERROR)
        assert complete.description == f"BAD: {line}"
        assert complete.metadata["tickers"].value == {"BAD": line}
        assert metadata(result, asset)["tickers"] == ["AAA", "CCC"]
        assert metadata(result, asset)["dagster/row_count"] == 6
    assert f"BAD: {line}" in warnings_of(desk, result)


def test_only_a_bug_leaves_its_trace_in_the_log(desk: Desk) -> None:
    add(desk, "AAA", "BAD")
    for error, has_trace in ((_raise_expected, False), (_raise_bug, True)):
        result = run(desk, step(failing(error, "BAD")))
        logged = [entry.user_message for entry in desk.instance.all_logs(result.run_id) if entry.level == 40]
        assert [text.startswith("BAD: Traceback") for text in logged] == [True] * has_trace


def test_a_step_fails_when_no_ticker_is_left_and_names_them_all(desk: Desk) -> None:
    add(desk, "AAA", "BBB")
    later = step(lambda one: made(one, "features"), "features", reads=["prices"])
    result = run(desk, step(failing(_raise_expected, "AAA", "BBB")), later)
    assert not result.success
    [failure] = [event for event in result.all_events if event.is_step_failure]
    assert failure.step_failure_data.user_failure_data is not None
    assert failure.step_failure_data.user_failure_data.description == (
        f"AAA: {SAID['expected']}; BBB: {SAID['expected']}"
    )
    assert not result.asset_materializations_for_node("features")
    assert desk.statuses() == {"AAA": "failed", "BBB": "failed"}


def test_where_a_model_fails_only_its_rows_are_missing_and_that_is_a_warning(desk: Desk) -> None:
    add(desk, "AAA", "BBB")
    model = step(failing(_raise_expected, "BBB", table="splits"), "splits", key="model/some", is_required=False)
    seen: list[str] = []

    def later(one: OneTicker) -> Made:
        seen.append(one.ticker)
        return made(one, "features")

    result = run(desk, model, step(later, "features", reads=["splits"]))

    assert result.success
    complete = checks(result, "model/some")["complete"]
    assert (complete.passed, complete.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert complete.metadata["tickers"].value == {"BBB": "model/some: its bars are bad — fetch better ones"}
    assert checks(result, "features")["complete"].passed
    assert seen == ["AAA", "BBB"]
    assert desk.statuses() == {"AAA": "ok", "BBB": "ok"}
    assert desk.made("model/some") == {"AAA"}


def test_a_model_that_fails_for_every_ticker_fails_no_step(desk: Desk) -> None:
    add(desk, "AAA", "BBB")
    model = step(failing(_raise_bug, "AAA", "BBB", table="splits"), "splits", key="model/some", is_required=False)
    result = run(desk, model)
    assert result.success
    assert not checks(result, "model/some")["complete"].passed
    assert desk.statuses() == {"AAA": "ok", "BBB": "ok"}


def test_the_success_of_a_step_takes_its_own_failure_back_and_no_other_steps(desk: Desk) -> None:
    for stage, after in (("prices", "added"), (JOB, "added"), ("splits", "failed")):
        add(desk, "AAA")
        health.failed(desk.lake, "AAA", Failure(stage, "no", "yes"), "a run")
        assert run(desk, step(plain)).success
        assert desk.statuses() == {"AAA": after}, stage


def test_a_ticker_that_is_removed_while_it_is_worked_on_stays_removed_and_one_that_is_added_waits(desk: Desk) -> None:
    add(desk, "AAA", "BBB")

    def remove(one: OneTicker) -> Made:
        desk.lake.delete("tickers", ticker="BBB")
        add(desk, "NEW", status="added")
        return made(one)

    result = run(
        desk, step(remove), step(failing(_raise_expected, "BBB", table="features"), "features", reads=["prices"])
    )
    assert result.success
    assert held(desk, "features") == {"AAA": 3}
    assert desk.statuses() == {"AAA": "ok", "NEW": "added"}


def test_of_many_warnings_the_first_ones_are_told_and_how_many_there_were(desk: Desk) -> None:
    tickers = [f"T{number:02}" for number in range(30)]
    add(desk, *tickers)

    def warn(one: OneTicker) -> Made:
        one.warn("odd")
        one.say("hello")
        return made(one)

    result = run(desk, step(warn))
    assert warnings_of(desk, result) == [*(f"{ticker}: odd" for ticker in tickers[:20]), "… and 10 more warnings"]
    spoken = [entry.user_message for entry in desk.instance.all_logs(result.run_id) if entry.level == 20]
    assert "hello" not in " ".join(spoken), "of many tickers only how many are done is told"


def test_findings_marks_and_notes_are_told_ticker_by_ticker(desk: Desk) -> None:
    add(desk, "AAA", "BBB", "CCC")

    def body(one: OneTicker) -> Made:
        bad = [Finding("missing_session", "warn", "2024-01-02 is missing")] if one.ticker == "BBB" else []
        tables = made(one).tables
        return Made(tables, bad, {"last": one.ticker.lower()}, {"restated_sessions": 4 * (one.ticker == "CCC")})

    result = run(desk, step(body))
    sound = checks(result, "prices")["sound"]
    assert (sound.passed, sound.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert sound.description == "BBB: missing_session: 2024-01-02 is missing"
    told = metadata(result, "prices")
    assert told["restated_sessions"] == {"CCC": 4}
    assert [told["by_ticker"].count(word) for word in ("aaa", "bbb", "ccc")] == [1, 1, 1]
    alone = metadata(run(desk, step(body), tickers=["AAA"]), "prices")
    assert alone["last"] == "aaa"
    assert "restated_sessions" not in alone


def test_a_step_in_another_process_learns_from_the_table_who_is_out_of_the_run(desk: Desk) -> None:
    add(desk, "AAA", "BAD")
    result = run(desk, step(failing(_raise_expected, "BAD")))
    found = Universe().failures(desk.lake, result.run_id)
    assert {ticker: failure.line for ticker, failure in found.items()} == {"BAD": SAID["expected"]}
    assert Universe().failures(desk.lake, "another run") == {}
