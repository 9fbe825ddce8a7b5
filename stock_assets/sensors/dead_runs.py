"""Runs whose process is gone are marked as failed, here and in MLflow, without waiting for a command."""

from dataclasses import replace

import dagster as dg

from stock_assets.resources import Warehouse
from stock_assets.runs import report_dead_runs
from stock_assets.settings import load_settings


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Marks runs whose process was killed as failed, with their ticker, and gives the MLflow runs of all "
    "ended runs their status. What was left undone is requested again by the sensors that request it anyway.",
)
def dead_runs(context: dg.SensorEvaluationContext, warehouse: Warehouse) -> dg.SkipReason:
    """Put right what a killed process could not."""
    cut_off = report_dead_runs(context.instance, replace(load_settings(), home=warehouse.path))
    for work in cut_off:
        context.log.warning(f"the run {work.job} of {work.ticker} was cut off; it is marked as failed")
    return dg.SkipReason(f"{len(cut_off)} runs were cut off since the last look")
