"""A desk whose tables are filled by hand, and the sensors asked at a time of the test's choosing."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pandas as pd
import pytest

from stock_assets.clock import Clock
from stock_assets.resources import Warehouse
from tests.assets.conftest import Desk, desk
from tests.storage.frames import rows

__all__ = ["desk"]

NOW = datetime(2024, 3, 5, 14, tzinfo=UTC)  # a Tuesday morning in New York, before the open

Ask = Callable[..., Any]


@pytest.fixture
def warehouse(desk: Desk) -> Warehouse:
    """The desk's warehouse."""
    return Warehouse(home=str(desk.settings.home))


@pytest.fixture
def ask(desk: Desk, warehouse: Warehouse) -> Ask:
    """Evaluate a sensor once, for real, on the desk's instance."""

    def ask(sensor: dg.SensorDefinition, *, now: datetime = NOW, cursor: str | None = None) -> Any:
        context = dg.build_sensor_context(
            instance=desk.instance,
            cursor=cursor,
            resources={"warehouse": warehouse, "clock": Clock(at=now.isoformat())},
        )
        return sensor(context)

    return ask


@pytest.fixture
def list_ticker(warehouse: Warehouse) -> Callable[..., None]:
    """Put a ticker with bars up to a session, trained or not, into lake and published database."""

    def list_ticker(ticker: str, newest: str | None, *, status: str = "ok", trained: bool = True) -> None:
        row = rows("tickers", 1, ticker=ticker, calendar="XNYS", source="yahoo", status=status)
        warehouse.lake.write("tickers", row, ticker=ticker)
        if newest is not None:
            sessions = pd.bdate_range(end=newest, periods=3)
            warehouse.lake.write("prices", rows("prices", 3, ticker=ticker, session=sessions), ticker=ticker)
        if trained:
            fits = rows("models", 2, ticker=ticker)
            warehouse.lake.write("models", fits, ticker=ticker, model="random_walk")
        warehouse.publish()

    return list_ticker
