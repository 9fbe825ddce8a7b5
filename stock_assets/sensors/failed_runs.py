"""A run that failed as a whole: its tickers are marked, and `failed_tickers` tells of them."""

import dagster as dg

from stock_assets.announcements import Announcement, announce
from stock_assets.clock import Clock
from stock_assets.health import Failure
from stock_assets.instance import blame
from stock_assets.lineage import ABOUT_ALL
from stock_assets.resources import Warehouse
from stock_assets.terminal import failure_line
from stock_assets.universe import remaining_of_run


@dg.run_failure_sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Marks the tickers of a failed run that its steps could not mark. A run that failed for no ticker of "
    "the universe is announced here.",
)
def failed_runs(context: dg.RunFailureSensorContext, warehouse: Warehouse, clock: Clock) -> None:
    """Leave no ticker of a failed run looking well."""
    run, lake = context.dagster_run, warehouse.lake
    failures = context.get_step_failure_events()
    reasons = list(dict.fromkeys(failure_line(event) for event in failures))
    why = "; ".join(reasons) or context.failure_event.message or "no reason was recorded"
    # None, where only steps failed that look at all tickers of the home.
    is_of_all = bool(failures) and {event.step_key for event in failures} <= ABOUT_ALL
    tickers = [] if is_of_all else remaining_of_run(run, lake)
    record = context.instance.get_run_record_by_id(run.run_id)
    ended_at = record.end_time if record is not None else None
    blame(lake, run, tickers, Failure(run.job_name, why, "see the run's log"), ended_at=ended_at)
    warehouse.publish()
    if not tickers:
        message = f"the run {run.job_name} failed: {why}"
        announcement = Announcement("failure", message, about=run.run_id)
        announce(announcement, warehouse=warehouse, now=clock.now(), log=context.log.warning)
