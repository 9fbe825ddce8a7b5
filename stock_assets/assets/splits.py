"""Which session plays which role. Frozen until retraining is asked for."""

import dagster as dg
import pandas as pd

from stock_assets.checks import check_results
from stock_assets.forecasting.findings import refuse
from stock_assets.forecasting.splits import check_splits, holdout_splits
from stock_assets.lineage import lineage_asset
from stock_assets.resources import Warehouse


@lineage_asset(
    key=["splits"],
    table="splits",
    group="2_features",
    kinds={"pandas"},
    description="Train, validation and test by session (80/10/10), one session purged at each boundary. Materialising "
    "it moves the boundaries: do so only to retrain.",
)
def splits(
    context: dg.AssetExecutionContext, features: pd.DataFrame, warehouse: Warehouse
) -> dg.MaterializeResult[pd.DataFrame]:
    """Give every session its role."""
    table = holdout_splits(features)
    findings = check_splits(table, features)
    refuse(findings, subject=f"{context.partition_key} splits")
    spans = table.groupby("role")["session"].agg(["count", "min", "max"]).sort_values("min")
    return dg.MaterializeResult(
        value=table,
        check_results=check_results(["splits"], findings),
        metadata={"roles": dg.MetadataValue.md(spans.to_markdown())},
    )
