"""Once a month each champion is reviewed on new walk-forward evidence: repeated looks would inflate the error."""

from datetime import timedelta

import dagster as dg

from stock_assets.clock import Clock
from stock_assets.instance import busy_tickers
from stock_assets.jobs import backtest
from stock_assets.resources import Warehouse
from stock_assets.sensors._shared import listed_tickers, published, requested, run_request
from storage import queries

CURRENT = timedelta(days=31)
"""Older bars are not being updated: nobody waits for a review of them."""


@dg.sensor(
    job=backtest,
    minimum_interval_seconds=3600,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Requests one backtest per market and calendar month of the newest sessions (run key review:market:"
    "month): walk-forward evidence, audit, and the champions' review. Tickers without trained models, or whose bars "
    "ended more than a month ago, have none.",
)
def monthly_review(
    context: dg.SensorEvaluationContext, warehouse: Warehouse, clock: Clock
) -> dg.SensorResult | dg.SkipReason:
    """Request the reviews of this month."""
    listed = listed_tickers(warehouse, log=context.log.warning)
    if not listed:
        return dg.SkipReason("no ticker has bars")
    waiting = set(published(warehouse, queries.trained_tickers)["ticker"])
    waiting -= busy_tickers(context.instance, warehouse.lake)
    decisions = published(warehouse, queries.champion_history)
    reviewed = set(zip(decisions["ticker"], decisions["review"], strict=True))
    due: dict[tuple[str, str], list[str]] = {}
    for one in listed:
        month = f"{one.newest_session:%Y-%m}"
        is_current = clock.now().date() - one.newest_session < CURRENT
        if is_current and one.ticker in waiting and (one.ticker, month) not in reviewed:
            due.setdefault((one.calendar, month), []).append(one.ticker)
    if not due:
        return dg.SkipReason("every champion has been reviewed this month")
    requests = [
        run_request(backtest.name, market, dict.fromkeys(tickers, month), key=f"review:{market}:{month}")
        for (market, month), tickers in due.items()
    ]
    return requested(context.instance, requests)
