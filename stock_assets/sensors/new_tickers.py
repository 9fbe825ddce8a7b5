"""A ticker that was added is fetched, trained and forecast, without a restart."""

import dagster as dg

from stock_assets.jobs import lineage
from stock_assets.partitions import TICKERS
from stock_assets.resources import Warehouse
from stock_assets.sensors._materialized import busy_tickers


@dg.sensor(
    job=lineage,
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Makes a partition of every ticker of the universe, and starts the whole lineage for those without "
    "bars. A ticker whose first run failed stays red until somebody runs it again.",
)
def new_tickers(context: dg.SensorEvaluationContext, warehouse: Warehouse) -> dg.SensorResult:
    """Bring Dagster's partitions in step with the table `tickers`, and request first runs."""
    universe = warehouse.lake.read("tickers")
    known = set(context.instance.get_dynamic_partitions(str(TICKERS.name)))
    missing = sorted(set(universe["ticker"]) - known)
    added = universe[universe["status"] == "added"]
    busy = busy_tickers(context.instance)
    return dg.SensorResult(
        run_requests=[
            dg.RunRequest(run_key=f"new:{row['ticker']}:{row['updated_at'].isoformat()}", partition_key=row["ticker"])
            for _, row in added.iterrows()
            if row["ticker"] not in busy
        ],
        dynamic_partitions_requests=[TICKERS.build_add_request(missing)] if missing else [],
    )
