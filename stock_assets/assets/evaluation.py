"""Scores of every model, the random walk on the same rows beside them."""

import dagster as dg
import pandas as pd

from stock_assets.forecasting.evaluation import as_markdown, evaluate, on_current_splits, on_equal_folds, scale_mae
from stock_assets.forecasting.models import discover
from stock_assets.lineage import lineage_asset
from stock_assets.resources import Warehouse


@lineage_asset(
    key=["evaluation"],
    table="evaluation",
    group="5_evaluation",
    kinds={"pandas"},
    description="RMSE, MAE, MAPE, MASE, CRPS, skill with its bootstrap interval and what could be detected, direction, "
    "tests of Clark-West, Diebold-Mariano and Pesaran-Timmermann, Model Confidence Set, coverage and width of every "
    "model, scheme and role, on rows identical to the random walk's.",
    ins={name: dg.AssetIn(name) for name in ("prices", "features", "splits")},
    deps=[dg.AssetKey([stage, name]) for stage in ("predictions", "backtest") for name in discover()],
)
def evaluation(
    context: dg.AssetExecutionContext,
    prices: pd.DataFrame,
    features: pd.DataFrame,
    splits: pd.DataFrame,
    warehouse: Warehouse,
) -> dg.MaterializeResult[pd.DataFrame]:
    """Score the predictions that belong to the current splits."""
    ticker = context.partition_key
    stored = warehouse.lake.read("predictions", ticker=ticker, model=list(discover()))
    current, outdated = on_current_splits(stored, splits, features)
    predictions, unequal = on_equal_folds(current)
    if outdated:
        context.log.warning(f"{ticker}: not scored, since they predate the current splits: {', '.join(outdated)}")
    if unequal:
        context.log.warning(
            f"{ticker}: not scored walk-forward, folds or outcomes are not the random walk's: {', '.join(unequal)}"
        )
    earlier = warehouse.lake.read("evaluation", ticker=ticker)
    table = evaluate(predictions, scale_mae=scale_mae(prices, splits), earlier=earlier)
    return dg.MaterializeResult(value=table, metadata={"leaderboard": dg.MetadataValue.md(as_markdown(table))})
