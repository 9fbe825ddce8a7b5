"""A ticker that was added is fetched, trained and forecast, without a restart."""

import dagster as dg

from stock_assets.instance import busy_tickers
from stock_assets.jobs import lineage
from stock_assets.resources import Warehouse
from stock_assets.sensors._shared import published, requested, run_request
from stock_assets.universe import markets_of
from storage import queries


@dg.sensor(
    job=lineage,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts the whole lineage for the tickers of a market that were added to the universe. A ticker whose "
    "first run failed stays red until somebody runs it again.",
)
def new_tickers(context: dg.SensorEvaluationContext, warehouse: Warehouse) -> dg.SensorResult | dg.SkipReason:
    """Request first runs, one a market."""
    universe = published(warehouse, queries.tickers)
    if universe.empty or not (universe["status"] == "added").any():
        return dg.SkipReason(f"none of {len(universe)} tickers is new")
    added = universe[universe["status"] == "added"].set_index("ticker")["updated_at"]
    busy = busy_tickers(context.instance, warehouse.lake)
    markets = markets_of(warehouse.lake, [ticker for ticker in added.index if ticker not in busy])
    requests = [
        run_request(
            lineage.name, market, {ticker: added[ticker].isoformat() for ticker in tickers}, key=f"new:{market}"
        )
        for market, tickers in markets.items()
    ]
    return requested(context.instance, requests)
