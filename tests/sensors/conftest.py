"""A desk whose tables are filled by hand, and the sensors asked at a time of the test's choosing."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from stock_assets.clock import Clock
from stock_assets.resources import Warehouse
from stock_assets.universe import chosen_tickers
from tests.assets.conftest import Desk, desk
from tests.dagster_runs import add_run
from tests.storage.frames import rows

__all__ = ["desk"]

NOW = datetime(2024, 3, 5, 14, tzinfo=UTC)  # a Tuesday morning in New York, before the open
LATE = datetime(2027, 3, 5, 14, tzinfo=UTC)  # such a Friday, when Bombay's calendar has ended

Ask = Callable[..., Any]


@pytest.fixture
def warehouse(desk: Desk) -> Warehouse:
    """The desk's warehouse."""
    return Warehouse(home=str(desk.settings.home))


@pytest.fixture
def ask(desk: Desk, warehouse: Warehouse) -> Ask:
    """Evaluate a sensor once, for real, on the desk's instance."""

    def ask(sensor: dg.SensorDefinition, *, now: datetime = NOW, cursor: str | None = None) -> Any:
        resources = {"warehouse": warehouse, "clock": Clock(at=now.isoformat())}
        with dg.build_sensor_context(instance=desk.instance, cursor=cursor, resources=resources) as context:
            return sensor(context)

    return ask


BAD_TICKERS = {
    "UNKNOWN": "'XXXX' is not an exchange calendar",
    "ENDED": "outside the calendar XBOM",
    "UNFETCHED": "its exchange is not known",
    "NOWHERE": "'google' is not a price source",
}
"""What is wrong with each ticker of `list_bad_tickers` at `LATE`."""


def list_bad_tickers(list_ticker: Callable[..., None]) -> None:
    """Tickers with bars whose facts are of no use: calendar unknown, ended or missing, source unknown."""
    list_ticker("UNKNOWN", "2027-03-03", calendar="XXXX")
    list_ticker("ENDED", "2027-03-03", calendar="XBOM")
    list_ticker("UNFETCHED", "2027-03-03", calendar=None, source=None)
    list_ticker("NOWHERE", "2027-03-03", source="google")


def tickers_of(request: dg.RunRequest) -> list[str]:
    """The tickers that a run was requested for."""
    return chosen_tickers(request.run_config)


def readable(request: dg.RunRequest) -> str:
    """The part of a run key that is for people, without the hash of what the request is about."""
    key, _, hashed = str(request.run_key).rpartition(":")
    assert len(hashed) == 8
    return key


def begin_run(desk: Desk, job: str, *tickers: str, market: str = "XNYS") -> dg.DagsterRun:
    """A run that is under way for some tickers; none named: for all of its market."""
    return add_run(desk.instance, job, tickers, market=market)


def tell_made(desk: Desk, asset: str, *tickers: str, market: str = "XNYS", **marks: dict[str, int]) -> None:
    """What a step reports to Dagster when it has made an asset."""
    told = {"tickers": dg.MetadataValue.json(list(tickers))}
    told |= {name: dg.MetadataValue.json(by_ticker) for name, by_ticker in marks.items()}
    desk.instance.report_runless_asset_event(dg.AssetMaterialization(asset, partition=market, metadata=told))


@pytest.fixture
def list_ticker(warehouse: Warehouse) -> Callable[..., None]:
    """Put a ticker with bars up to a session, trained or not, into lake and published database."""

    def list_ticker(
        ticker: str, newest: str | None, *, trained: bool = True, calendar: str | None = "XNYS", **facts: Any
    ) -> None:
        empty = dict.fromkeys(("stage", "reason", "cure", "run_id"))
        known = {"calendar": calendar, "source": "yahoo", "status": "ok"} | empty | facts
        warehouse.lake.write("tickers", rows("tickers", 1, ticker=ticker, **known), ticker=ticker)
        if newest is not None:
            sessions = pd.bdate_range(end=newest, periods=3)
            warehouse.lake.write("prices", rows("prices", 3, ticker=ticker, session=sessions), ticker=ticker)
        if trained:
            fits = rows("models", 2, ticker=ticker)
            warehouse.lake.write("models", fits, ticker=ticker, model="random_walk")
        warehouse.publish()

    return list_ticker
