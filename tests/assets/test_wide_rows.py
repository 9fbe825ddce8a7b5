"""What is read, what is written, and when it is published: rows of made-up bodies on a real lake."""

import gc
import time
import weakref
from typing import Any

import pandas as pd
import pytest

import storage
from stock_assets import wide
from stock_assets.bodies import Made, OneTicker
from stock_assets.lineage import Body, Declaration, Output, Read, lineage_asset
from stock_assets.resources import Warehouse
from storage.layout import scan
from storage.parquet import CURE_OF_DAMAGE
from storage.published import generations
from storage.tables import TABLES
from tests.assets.conftest import Desk
from tests.assets.made_up import add, failing, failure_of, held, made, plain, run, step, warnings_of
from tests.storage.frames import rows

SCHEMES = ("holdout", "live")


def _predicting(body: Body) -> Declaration:
    """A model's step: its fits and its predictions, of two schemes."""
    return lineage_asset(
        Output("model/random_walk", "models", "1_made_up", "Fits."),
        Output("predictions/random_walk", "predictions", "1_made_up", "Predictions.", SCHEMES),
        logs=["tuning_trials"],
        model="random_walk",
    )(body)


def _predicted(one: OneTicker, *schemes: str) -> Made:
    of = [rows("predictions", 3, ticker=one.ticker, scheme=scheme, fold=scheme) for scheme in schemes]
    tables = {name: rows(name, 2, ticker=one.ticker) for name in ("models", "tuning_trials")}
    return Made(tables | {"predictions": pd.concat(of, ignore_index=True)})


def _predicting_schemes(schemes: tuple[str, ...]) -> Body:
    return lambda one: _predicted(one, *schemes)


BAD_ROWS = {
    "text for a number": ("prices", {"close": "dear"}),
    "another ticker's rows": ("prices", {"ticker": "AAA"}),
    "append-only, a value is missing": ("forecasts", {"predicted": float("nan")}),
    "append-only, another ticker's rows": ("forecasts", {"ticker": "AAA"}),
}


@pytest.mark.parametrize(("table", "change"), BAD_ROWS.values(), ids=BAD_ROWS)
def test_rows_that_break_the_contract_are_refused_for_their_ticker_alone(
    desk: Desk, table: str, change: dict[str, object]
) -> None:
    add(desk, "AAA", "BAD", "CCC")

    def body(one: OneTicker) -> Made:
        more = {"forecast_id": [f"{one.ticker}-{number}" for number in range(3)]} if table == "forecasts" else {}
        return made(one, table, **(more | (change if one.ticker == "BAD" else {})))

    assert run(desk, step(body, table)).success
    assert held(desk, table) == {"AAA": 3, "CCC": 3}
    assert str(failure_of(desk, "BAD")).startswith(f"{table}: {table}: column ")
    assert desk.lake.read("tickers", ticker="BAD")["source"].tolist() == ["sample"], "nothing else of it is changed"


@pytest.mark.parametrize("bad", ["models", "predictions", "tuning_trials"])
def test_what_a_body_makes_of_a_ticker_is_stored_whole_or_not_at_all(desk: Desk, bad: str) -> None:
    add(desk, "AAA", "BAD")

    def body(one: OneTicker) -> Made:
        found = _predicted(one, *SCHEMES)
        wrong = {bad: found.tables[bad].assign(model=1.5)} if one.ticker == "BAD" else {}
        return Made({**found.tables, **wrong})

    assert run(desk, _predicting(body)).success
    for table in ("models", "predictions", "tuning_trials"):
        assert held(desk, table).keys() == {"AAA"}, table
    assert f"{bad}: column 'model'" in str(failure_of(desk, "BAD"))


def test_a_scheme_without_rows_is_emptied_and_those_of_other_assets_stay(desk: Desk) -> None:
    add(desk, "AAA")
    walked = rows("predictions", 3, ticker="AAA", scheme="walk_forward", fold="1")
    desk.lake.write("predictions", walked, ticker="AAA", model="random_walk", scheme="walk_forward")
    for schemes in (SCHEMES, ("holdout",)):
        assert run(desk, _predicting(_predicting_schemes(schemes))).success
        stored = desk.lake.read("predictions", ticker="AAA")
        assert set(stored["scheme"]) == {"walk_forward", *schemes}


def test_rows_of_a_scheme_that_the_asset_does_not_write_are_refused(desk: Desk) -> None:
    add(desk, "AAA", "BBB")
    body = lambda one: _predicted(one, "holdout", *(["walk_forward"] if one.ticker == "BBB" else []))  # noqa: E731 - short
    assert run(desk, _predicting(body)).success
    assert held(desk, "models").keys() == {"AAA"}
    assert failure_of(desk, "BBB") == (
        "model/random_walk: predictions/random_walk made rows of scheme walk_forward, and writes holdout, live — "
        "name the scheme where the asset is declared"
    )


def _read(table: str, **where: Any) -> Body:
    def body(one: OneTicker) -> Made:
        one.read(table, **where)
        return made(one)

    return body


UNDECLARED: dict[str, tuple[Body, list[Read], str]] = {
    "a table": (_read("features"), [], "reads features"),
    "a model": (
        _read("models", model=["sarima"]),
        [Read("models", models=("xgboost",))],
        "reads rows of sarima of models",
    ),
    "a scheme": (
        _read("predictions", scheme="live"),
        [Read("predictions", schemes=("holdout",))],
        "reads rows of live of predictions",
    ),
    "a table to be made": (
        lambda one: Made({**made(one).tables, **made(one, "splits").tables}),
        [],
        "makes rows of splits",
    ),
}


@pytest.mark.parametrize(("body", "reads", "what"), UNDECLARED.values(), ids=UNDECLARED)
def test_what_is_not_declared_can_neither_be_read_nor_made(
    desk: Desk, body: Body, reads: list[Read], what: str
) -> None:
    add(desk, "AAA")
    assert not run(desk, step(body, reads=reads)).success
    assert failure_of(desk, "AAA") == (
        f"prices: prices {what}, which it does not declare — name it where the asset is declared"
    )
    assert held(desk) == held(desk, "splits") == {}


def test_of_models_and_schemes_those_declared_are_read_and_of_any_table_the_tickers_own_rows(desk: Desk) -> None:
    add(desk, "AAA", "BBB")
    for ticker in ("AAA", "BBB"):
        for model in ("random_walk", "xgboost"):
            fits = rows("models", 2, ticker=ticker, model=model)
            desk.lake.write("models", fits, ticker=ticker, model=model)
        ids = [f"{ticker}-{number}" for number in range(4)]
        desk.lake.append("forecasts", rows("forecasts", 4, ticker=ticker, forecast_id=ids))
    seen: list[tuple[str, set[str], int]] = []

    def body(one: OneTicker) -> Made:
        forecasts = one.read("forecasts")
        assert set(forecasts["ticker"]) == {one.ticker}
        forecasts["predicted"] = 0.0  # a reader that changes its frame changes nobody else's
        assert (one.read("forecasts")["predicted"] > 0).all()
        seen.append((one.ticker, set(one.read("models")["model"]), len(one.read("forecasts", is_live=True))))
        return made(one)

    assert run(desk, step(body, reads=[Read("models", models=("xgboost",)), Read("forecasts")])).success
    assert seen == [("AAA", {"xgboost"}, 2), ("BBB", {"xgboost"}, 2)]


def test_append_only_tables_get_one_file_for_the_tickers_worked_on_together(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wide, "AT_A_TIME", 2)
    add(desk, "AAA", "BBB", "CCC", "NONE")
    body = lambda one: made(one, "champion", 0 if one.ticker == "NONE" else 2)  # noqa: E731 - short
    for _ in range(2):  # the second time there is nothing new
        assert run(desk, step(body, "champion")).success
        assert held(desk, "champion") == {"AAA": 2, "BBB": 2, "CCC": 2}
        assert len(scan(desk.lake.root, TABLES["champion"])) == 2


def test_rows_are_in_memory_no_longer_than_their_tickers_are_worked_on(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wide, "AT_A_TIME", 1)
    add(desk, "AAA", "BBB", "CCC")
    frames: list[weakref.ref[pd.DataFrame]] = []

    def body(one: OneTicker) -> Made:
        gc.collect()
        assert [frame() for frame in frames] == [None] * len(frames)
        found = {name: rows(name, 3, ticker=one.ticker) for name in ("prices", "champion")}
        frames.extend(weakref.ref(frame) for frame in found.values())
        return Made(found)

    result = run(desk, step(body, logs=["champion"]))
    assert result.success
    assert held(desk) == held(desk, "champion") == {"AAA": 3, "BBB": 3, "CCC": 3}
    assert desk.statuses() == {"AAA": "ok", "BBB": "ok", "CCC": "ok"}


def test_a_run_publishes_when_it_ends_also_one_that_fails(desk: Desk) -> None:
    add(desk, "AAA", "BBB")
    assert run(desk, step(plain), step(lambda one: made(one, "features"), "features", reads=["prices"])).success
    assert generations(desk.settings.home) == [1]
    pd.testing.assert_frame_equal(storage.table("prices", desk.settings.home), desk.lake.read("prices"))
    assert not run(desk, step(failing(lambda: ValueError("no"), "AAA", "BBB"))).success
    assert generations(desk.settings.home) == [1, 2]
    assert set(storage.table("tickers", desk.settings.home)["status"]) == {"failed"}


def test_a_long_run_publishes_at_most_every_half_minute(desk: Desk, monkeypatch: pytest.MonkeyPatch) -> None:
    began, passed = time.monotonic(), [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: began + passed[0])
    add(desk, "AAA")
    found: list[int] = []

    def at(moment: float, table: str) -> Body:
        def body(one: OneTicker) -> Made:
            found.append(len(generations(desk.settings.home)))
            passed[0] = moment
            return made(one, table)

        return body

    chain = ["prices", "features", "splits", "evaluation"]
    moments = [10.0, 31.0, 60.0, 60.5]
    steps = [
        step(at(moment, table), table, reads=chain[max(number - 1, 0) : number])
        for number, (moment, table) in enumerate(zip(moments, chain, strict=True))
    ]
    assert run(desk, *steps).success
    assert found == [0, 0, 1, 1], "after the second step, 31 seconds into the run, and not again 29 seconds later"
    assert len(generations(desk.settings.home)) == 2
    assert len(storage.table("evaluation", desk.settings.home)) == 3


def test_another_tickers_damaged_file_is_warned_of_and_stops_nothing(desk: Desk) -> None:
    add(desk, "AAA")
    damaged = desk.lake.write("prices", rows("prices", ticker="MSFT"), ticker="MSFT")
    damaged.write_bytes(damaged.read_bytes()[:-20])
    result = run(desk, step(plain))
    assert result.success
    assert storage.table("prices", Warehouse().path)["ticker"].tolist() == ["AAA"] * 3
    assert desk.statuses() == {"AAA": "ok"}
    said = [entry.user_message for entry in desk.instance.all_logs(result.run_id)]
    assert f"{damaged} is damaged and was not published: {CURE_OF_DAMAGE}" in said


def test_the_tickers_own_damaged_file_fails_it_alone(desk: Desk) -> None:
    add(desk, "AAA", "BAD")
    damaged = desk.lake.write("features", rows("features", ticker="BAD"), ticker="BAD")
    damaged.write_bytes(damaged.read_bytes()[:-20])
    result = run(desk, step(_read("features"), reads=["features"]))
    assert result.success
    assert held(desk) == {"AAA": 3}
    assert damaged.name in str(failure_of(desk, "BAD"))
    assert warnings_of(desk, result)
