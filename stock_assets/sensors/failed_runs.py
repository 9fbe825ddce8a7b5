"""A run that failed is announced."""

import dagster as dg

from stock_assets.announcements import Announcement, announce
from stock_assets.clock import Clock
from stock_assets.partitions import PARTITION_TAG
from stock_assets.resources import Warehouse
from stock_assets.terminal import failure_line


@dg.run_failure_sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Announces every failed run, with the line that says why and how to cure it.",
)
def failed_runs(context: dg.RunFailureSensorContext, warehouse: Warehouse, clock: Clock) -> None:
    """Tell which ticker's run failed, and why."""
    run = context.dagster_run
    ticker = run.tags.get(PARTITION_TAG)
    reasons = list(dict.fromkeys(failure_line(event) for event in context.get_step_failure_events()))
    why = "; ".join(reasons) or context.failure_event.message or "no reason was recorded"
    message = f"{ticker or 'all tickers'}: a run failed: {why}"
    announcement = Announcement("failure", message, about=run.run_id, ticker=ticker)
    announce(announcement, warehouse=warehouse, now=clock.now(), log=context.log.warning)
