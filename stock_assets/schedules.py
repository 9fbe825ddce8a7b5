"""What the clock alone starts: the weekly upkeep of a home. Everything that depends on bars is started by sensors."""

from datetime import timedelta

import dagster as dg
from pydantic import Field

from stock_assets import pruning
from stock_assets.clock import Clock
from stock_assets.lineage import in_one_line
from stock_assets.resources import Warehouse
from stock_assets.settings import KEPT_DAYS, load_settings


class UpkeepConfig(dg.Config):
    """How much is kept."""

    days: int = Field(default=KEPT_DAYS, ge=1, description="What is younger than so many days stays.")


@dg.op(description="Removes what `stock-assets prune` would, and merges the files of append-only tables.")
def tidy(context: dg.OpExecutionContext, config: UpkeepConfig, warehouse: Warehouse, clock: Clock) -> None:
    """Find what nobody needs any more, remove it, and say what it was."""
    settings = load_settings()
    with in_one_line():
        found = pruning.find(settings, context.instance, before=clock.now() - timedelta(days=config.days))
        pruning.remove(settings, found)
    warehouse.publish()
    for category in found:
        context.log.info(f"{category.name}: {category.count:,} removed, {category.size:,} bytes")


@dg.job(description="Keeps a home small: old runs, unused fits, leftovers, scattered files of append-only tables.")
def upkeep() -> None:
    """One step."""
    tidy()


SCHEDULES = (
    dg.ScheduleDefinition(
        name="weekly_upkeep",
        job=upkeep,
        cron_schedule="0 8 * * 0",  # Sunday morning: no exchange of the usual ones is about to open
        execution_timezone="UTC",
        default_status=dg.DefaultScheduleStatus.RUNNING,
    ),
)
