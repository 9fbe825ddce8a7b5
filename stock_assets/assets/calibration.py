"""Whether the intervals keep their promise."""

import dagster as dg
import pandas as pd

from stock_assets.forecasting.calibration import as_markdown, calibrate, pit_histogram
from stock_assets.forecasting.evaluation import on_current_splits, on_equal_folds
from stock_assets.forecasting.models import discover
from stock_assets.lineage import lineage_asset
from stock_assets.resources import Warehouse


@lineage_asset(
    key=["calibration"],
    table="calibration",
    group="5_evaluation",
    kinds={"pandas"},
    description="Coverage of every model's intervals with its 95 % interval and tests (Kupiec, Christoffersen), width, "
    "pinball loss beside an unconditional random walk's, coverage by volatility. Writes `pit_histogram` too.",
    ins={name: dg.AssetIn(name) for name in ("prices", "features", "splits")},
    deps=[dg.AssetKey([stage, name]) for stage in ("predictions", "backtest") for name in discover()],
)
def calibration(
    context: dg.AssetExecutionContext,
    prices: pd.DataFrame,
    features: pd.DataFrame,
    splits: pd.DataFrame,
    warehouse: Warehouse,
) -> dg.MaterializeResult[pd.DataFrame]:
    """Score the intervals of the rows that the evaluation scores."""
    ticker = context.partition_key
    stored = warehouse.lake.read("predictions", ticker=ticker, model=list(discover()))
    # The evaluation names those that are left out here.
    current, _ = on_current_splits(stored, splits, features)
    predictions, _ = on_equal_folds(current)
    table = calibrate(predictions, prices)
    warehouse.lake.write("pit_histogram", pit_histogram(predictions), ticker=ticker)  # published with `table`
    return dg.MaterializeResult(value=table, metadata={"intervals_90": dg.MetadataValue.md(as_markdown(table))})
