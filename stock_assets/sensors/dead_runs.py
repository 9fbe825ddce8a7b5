"""Runs whose process is gone are marked as failed, here and in MLflow, without waiting for a command."""

from dataclasses import replace

import dagster as dg

from stock_assets.instance import report_dead_runs
from stock_assets.resources import Warehouse
from stock_assets.settings import load_settings
from stock_assets.tracking.parents import end_in_mlflow


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Marks runs whose process was killed as failed, with their tickers, and gives the MLflow runs of all "
    "ended runs their status. What was left undone is requested again by the sensors that request it anyway.",
)
def dead_runs(context: dg.SensorEvaluationContext, warehouse: Warehouse) -> dg.SkipReason:
    """Put right what a killed process could not."""
    settings = replace(load_settings(), home=warehouse.path)
    cut_off = report_dead_runs(context.instance, settings)
    for work in cut_off:
        names = ", ".join(work.tickers)
        context.log.warning(f"the run {work.job} of {work.market} ({names}) was cut off; it is marked as failed")
    if cut_off:
        warehouse.publish()
    end_in_mlflow(context.instance, settings)
    return dg.SkipReason(f"{len(cut_off)} runs were cut off since the last look")
