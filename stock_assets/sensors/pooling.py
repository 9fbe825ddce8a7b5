"""Carries out declarative conditions. Only `pooled_evaluation` has one: models are never trained because bars came."""

import dagster as dg

pooling = dg.AutomationConditionSensorDefinition(
    "pooling",
    target=dg.AssetSelection.assets("pooled_evaluation"),
    default_status=dg.DefaultSensorStatus.RUNNING,
    minimum_interval_seconds=60,
    description="Pools all tickers after any of them was evaluated: at most hourly, and not while one is in progress.",
)
