"""Bodies that take several tickers at once, bodies that give out units of work, and what an interruption leaves."""

import os
import signal
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
import pytest

from stock_assets.bodies import Made, OneTicker, Tickers
from stock_assets.workers import Workers
from tests.assets.conftest import Desk
from tests.assets.made_up import TooBad, add, checks, failure_of, held, made, metadata, plain, run, step

BAD = "its bars are bad"


@dataclass(frozen=True)
class Double:
    """A unit of work."""

    number: int

    def perform(self) -> int:
        """Twice the number; 13 is refused."""
        if self.number == 13:
            raise TooBad(BAD, cure="take another")
        return 2 * self.number


class Watched(Workers):
    """Workers that note which units they were given together, and give the last one back first."""

    def run(self, units: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        """As `Workers.run` in one process, backwards."""
        ROUNDS.append([unit.number for unit in units])
        yield from reversed(list(super().run(units)))


ROUNDS: list[list[int]] = []


@pytest.fixture(autouse=True)
def _no_rounds() -> None:
    ROUNDS.clear()


NUMBER = {"AAA": 1, "BAD": 13, "CCC": 3}


def _two_rounds(one: OneTicker) -> Iterator[Any]:
    number = NUMBER[one.ticker]
    first = yield [Double(number), Double(100 + number)]
    nothing = yield []
    (last,) = yield [Double(sum(first))]
    assert (first, nothing) == ([2 * number, 200 + 2 * number], [])
    return made(one, volume=float(last))


def test_a_body_is_sent_the_results_of_its_units_in_order_and_those_of_many_tickers_are_out_together(
    desk: Desk,
) -> None:
    add(desk, "AAA", "CCC")
    assert run(desk, step(_two_rounds), workers=Watched(n=1)).success
    assert ROUNDS == [[1, 101, 3, 103], [212, 204]]
    bars = desk.lake.read("prices").groupby("ticker")["volume"].first()
    assert bars.to_dict() == {"AAA": 408.0, "CCC": 424.0}
    assert desk.statuses() == {"AAA": "ok", "CCC": "ok"}


def test_an_error_of_a_unit_fails_its_ticker_alone(desk: Desk) -> None:
    add(desk, "AAA", "BAD", "CCC")
    result = run(desk, step(_two_rounds), workers=Watched(n=1))
    assert result.success
    assert held(desk).keys() == {"AAA", "CCC"}
    assert failure_of(desk, "BAD") == f"prices: {BAD} — take another"
    assert not checks(result, "prices")["complete"].passed


def test_an_error_of_a_unit_is_raised_where_the_unit_was_given_out(desk: Desk) -> None:
    add(desk, "BAD")

    def body(one: OneTicker) -> Iterator[Any]:
        try:
            yield [Double(13)]
        except TooBad:
            (instead,) = yield [Double(4)]
            return made(one, volume=float(instead))

    assert run(desk, step(body)).success
    assert desk.lake.read("prices")["volume"].unique().tolist() == [8.0]


def test_a_body_that_fails_before_or_after_its_units_fails_its_ticker_alone(desk: Desk) -> None:
    add(desk, "AAA", "BAD", "CCC")

    def body(one: OneTicker) -> Iterator[Any]:
        if one.ticker == "AAA":
            raise TooBad("before", cure="none")
        yield [Double(1)]
        if one.ticker == "BAD":
            raise ValueError("after")
        return made(one)

    assert run(desk, step(body)).success
    assert held(desk).keys() == {"CCC"}
    assert failure_of(desk, "AAA") == "prices: before — none"
    assert str(failure_of(desk, "BAD")).startswith("prices: a bug: ValueError: after")


def _vectorised(*bad: str) -> tuple[Any, list[list[str]]]:
    asked: list[list[str]] = []

    def body(some: Tickers) -> dict[str, Made]:
        names = [one.ticker for one in some.ones]
        asked.append(names)
        rows = some.read("features")
        assert set(rows["ticker"]) == set(names)
        if set(names) & set(bad):
            raise TooBad(BAD, cure="take another")
        return {one.ticker: made(one) for one in some.ones}

    return body, asked


@pytest.mark.parametrize(("bad", "left"), [((), {"AAA", "BAD", "CCC", "DDD"}), (("BAD",), {"AAA", "CCC", "DDD"})])
def test_a_vectorised_body_gets_several_tickers_and_where_one_is_bad_each_for_itself(
    desk: Desk, bad: tuple[str, ...], left: set[str]
) -> None:
    add(desk, "AAA", "BAD", "CCC", "DDD")
    assert run(desk, step(lambda one: made(one, "features"), "features")).success
    body, asked = _vectorised(*bad)
    result = run(desk, step(body, at_once=3, reads=["features"]))
    assert result.success
    singles = [["AAA"], ["BAD"], ["CCC"]] if bad else []
    assert asked == [["AAA", "BAD", "CCC"], *singles, ["DDD"]]
    assert held(desk).keys() == left
    assert metadata(result, "prices")["tickers"] == sorted(left)
    assert failure_of(desk, "BAD") == (f"prices: {BAD} — take another" if bad else None)


INTERRUPTED = "prices: it was interrupted — run it again; finished fits are kept"


def _stopping(*, as_error: bool) -> Any:
    def body(one: OneTicker) -> Made:
        if one.ticker == "BBB":
            try:
                os.kill(os.getpid(), signal.SIGINT)
                time.sleep(5.0)
            except BaseException as error:
                if as_error:
                    raise RuntimeError("the query was interrupted") from error  # as DuckDB makes it
                raise
        return made(one)

    return body


@pytest.mark.parametrize("as_error", [False, True], ids=["Ctrl-C", "an error that a library makes of it"])
def test_an_interruption_stops_the_run_and_marks_every_ticker_of_it(desk: Desk, *, as_error: bool) -> None:
    add(desk, "AAA", "BBB", "CCC")
    assert run(desk, step(plain)).success
    add(desk, "OTHER")
    before = desk.lake.read("prices")
    seen: list[str] = []

    def later(one: OneTicker) -> Made:
        seen.append(one.ticker)
        return made(one, "features")

    steps = [step(_stopping(as_error=as_error)), step(later, "features", reads=["prices"])]
    result = run(desk, *steps, tickers=["AAA", "BBB", "CCC"])

    assert not result.success
    assert seen == []
    assert {ticker: failure_of(desk, ticker) for ticker in ("AAA", "BBB", "CCC", "OTHER")} == {
        **dict.fromkeys(("AAA", "BBB", "CCC"), INTERRUPTED),
        "OTHER": None,
    }
    stored = desk.instance.get_run_by_id(result.run_id)
    assert stored is not None
    assert stored.status in (dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED)
    assert desk.lake.read("prices").equals(before), "the rows of those that were done are the same"
    assert run(desk, step(plain)).success
    assert set(desk.statuses().values()) == {"added", "ok"}
