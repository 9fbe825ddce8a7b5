"""What the models know at each close."""

import dagster as dg
import pandas as pd

from stock_assets.checks import check_results
from stock_assets.forecasting.features import FEATURES, check_features, compute_features
from stock_assets.forecasting.findings import refuse
from stock_assets.lineage import lineage_asset
from stock_assets.resources import Warehouse


@lineage_asset(
    key=["features"],
    table="features",
    group="2_features",
    kinds={"sql"},
    description="Stationary features known at each close, and the next session's log return as target. One SQL pass.",
)
def features(
    context: dg.AssetExecutionContext, prices: pd.DataFrame, warehouse: Warehouse
) -> dg.MaterializeResult[pd.DataFrame]:
    """Compute every feature of the list and prove that none looks ahead."""
    table = compute_features(prices)
    findings = check_features(table, prices)
    refuse(findings, subject=f"{context.partition_key} features")
    names = [feature.name for feature in FEATURES]
    return dg.MaterializeResult(
        value=table,
        check_results=check_results(["features"], findings),
        metadata={
            "features": len(names),
            "labelled_rows": int(table["target_log_return"].notna().sum()),
            "summary": dg.MetadataValue.md(table[names].describe().T.round(4).to_markdown()),
        },
    )
