"""How large the next move may be: the methods of forecasting it, compared."""

import dagster as dg
import pandas as pd

from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.volatility_scores import as_markdown, score_volatility
from stock_assets.lineage import lineage_asset
from stock_assets.resources import Warehouse


@lineage_asset(
    key=["volatility"],
    table="volatility",
    group="5_evaluation",
    kinds={"pandas"},
    description="How well each method forecasts the variance of the next log return (QLIKE, against that of all "
    "earlier returns), and what it says now. The method that scales the intervals is marked.",
    ins={name: dg.AssetIn(name) for name in ("prices", "features")},
)
def volatility(
    context: dg.AssetExecutionContext, prices: pd.DataFrame, features: pd.DataFrame, warehouse: Warehouse
) -> dg.MaterializeResult[pd.DataFrame]:
    """Score every method on the ticker's sessions."""
    table = score_volatility(build_history(prices, features), ticker=context.partition_key)
    return dg.MaterializeResult(value=table, metadata={"methods": dg.MetadataValue.md(as_markdown(table))})
