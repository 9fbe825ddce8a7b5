"""Once a month each champion is reviewed on new walk-forward evidence: repeated looks would inflate the error."""

from datetime import timedelta

import dagster as dg

from stock_assets.clock import Clock
from stock_assets.jobs import backtest
from stock_assets.resources import Warehouse
from stock_assets.sensors._materialized import busy_tickers
from stock_assets.sensors._universe import listed_tickers

CURRENT = timedelta(days=31)
"""Older bars are not being updated: nobody waits for a review of them."""


@dg.sensor(
    job=backtest,
    minimum_interval_seconds=3600,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Requests one backtest per ticker and calendar month of its newest session (run key review:ticker:"
    "month): walk-forward evidence, audit, and the champion's review. Tickers without trained models, or whose bars "
    "ended more than a month ago, have none.",
)
def monthly_review(
    context: dg.SensorEvaluationContext, warehouse: Warehouse, clock: Clock
) -> dg.SensorResult | dg.SkipReason:
    """Request the reviews of this month."""
    trained = {fit["ticker"] for fit in warehouse.lake.partitions("models")}
    busy = busy_tickers(context.instance)
    decisions = warehouse.lake.read("champion")
    reviewed = set(zip(decisions["ticker"], decisions["review"], strict=True))
    requests = []
    for one in listed_tickers(warehouse, log=context.log.warning):
        month = f"{one.newest_session:%Y-%m}"
        is_current = clock.now().date() - one.newest_session < CURRENT
        if is_current and one.ticker in trained - busy and (one.ticker, month) not in reviewed:
            requests.append(dg.RunRequest(run_key=f"review:{one.ticker}:{month}", partition_key=one.ticker))
    if not requests:
        return dg.SkipReason("every champion has been reviewed this month")
    return dg.SensorResult(run_requests=requests)
