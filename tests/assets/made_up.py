"""Made-up steps on a real instance and a real lake: what `wide.py` does with a body, without the real bodies."""

from collections.abc import Callable, Sequence
from typing import Any

import dagster as dg

from stock_assets import health
from stock_assets.bodies import Made, OneTicker
from stock_assets.building import build_assets
from stock_assets.errors import StockAssetsError
from stock_assets.lineage import Body, Declaration, Output, lineage_asset
from stock_assets.resources import Universe, Warehouse
from stock_assets.workers import Workers
from tests.assets.conftest import Desk
from tests.storage.frames import rows

MARKET = "XNYS"
JOB = "__ephemeral_asset_job__"  # as Dagster calls what is not a job


class TooBad(StockAssetsError):
    """An error that was expected."""


def step(
    body: Body, table: str = "prices", *, key: str | None = None, schemes: tuple[str, ...] = (), **more: Any
) -> Declaration:
    """A step that makes one table."""
    return lineage_asset(Output(key or table, table, "1_made_up", "Rows.", schemes), **more)(body)


def made(one: OneTicker, table: str = "prices", n: int = 3, **columns: object) -> Made:
    """Rows of a ticker."""
    return Made({table: rows(table, n, **({"ticker": one.ticker} | columns))})


def plain(one: OneTicker) -> Made:
    """The body of a step that makes three bars."""
    return made(one)


def failing(error: Callable[[], Exception], *tickers: str, table: str = "prices") -> Body:
    """A body that fails for these tickers, and makes rows of all others."""

    def body(one: OneTicker) -> Made:
        if one.ticker in tickers:
            raise error()
        return made(one, table)

    return body


def add(desk: Desk, *tickers: str, status: str = "ok") -> None:
    """Tickers of the market, in good health."""
    for ticker in tickers:
        facts = dict.fromkeys(("stage", "reason", "cure", "run_id")) | {"calendar": MARKET, "source": "sample"}
        desk.lake.write("tickers", rows("tickers", 1, ticker=ticker, status=status, **facts), ticker=ticker)


def run(
    desk: Desk, *steps: Declaration, tickers: Sequence[str] = (), workers: Workers | None = None, **resources: Any
) -> dg.ExecuteInProcessResult:
    """A run of made-up steps; no tickers named: all of the market."""
    if not desk.instance.has_dynamic_partition("market", MARKET):
        desk.instance.add_dynamic_partitions("market", [MARKET])
    given = {"warehouse": Warehouse(), "universe": Universe(tickers=list(tickers)), "workers": workers or Workers(n=1)}
    return dg.materialize(
        build_assets(steps),
        instance=desk.instance,
        partition_key=MARKET,
        resources=given | resources,
        raise_on_error=False,
    )


def checks(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, dg.AssetCheckEvaluation]:
    """The results of an asset's checks, by name."""
    key = dg.AssetKey(asset.split("/"))
    return {one.check_name: one for one in result.get_asset_check_evaluations() if one.asset_key == key}


def metadata(result: dg.ExecuteInProcessResult, asset: str) -> dict[str, Any]:
    """What the materialisation of an asset tells."""
    (event,) = result.asset_materializations_for_node(asset.replace("/", "__"))
    return {name: value.value for name, value in event.metadata.items()}


def failure_of(desk: Desk, ticker: str) -> str | None:
    """The line of a failed ticker."""
    row = desk.lake.read("tickers", ticker=ticker).iloc[0]
    if row["status"] != health.FAILED:
        return None
    return health.Failure(row["stage"], row["reason"], row["cure"]).line


def held(desk: Desk, table: str = "prices") -> dict[str, int]:
    """Ticker → rows that the lake has."""
    return {str(name): len(of) for name, of in desk.lake.read(table).groupby("ticker")}


def warnings_of(desk: Desk, result: dg.ExecuteInProcessResult) -> list[str]:
    """What the run warned of."""
    return [entry.user_message for entry in desk.instance.all_logs(result.run_id) if entry.level == 30]
