"""What trading on the forecasts would have earned."""

import dagster as dg
import pandas as pd

from stock_assets.forecasting.economics import economics
from stock_assets.forecasting.models import BENCHMARK, discover
from stock_assets.forecasting.splits import LIVE, WALK_FORWARD
from stock_assets.lineage import lineage_asset
from stock_assets.resources import Warehouse


@lineage_asset(
    key=["economics"],
    table="economics",
    group="5_evaluation",
    kinds={"pandas"},
    description="Long or flat by the sign of each forecast, traded at the next open with 5 basis points a side: "
    "return, Sharpe ratio with its standard error, deflated Sharpe ratio and drawdown, beside buying and holding.",
    ins={"prices": dg.AssetIn("prices")},
    deps=[dg.AssetKey([stage, name]) for stage in ("predictions", "backtest") for name in discover()],
)
def economics_asset(
    context: dg.AssetExecutionContext, prices: pd.DataFrame, warehouse: Warehouse
) -> dg.MaterializeResult[pd.DataFrame]:
    """Trade what was said; without walk-forward rows only the live ones are traded."""
    ticker = context.partition_key
    predictions = warehouse.lake.read("predictions", ticker=ticker, model=list(discover()), scheme=[WALK_FORWARD, LIVE])
    trials = sum(name != BENCHMARK for name in discover())
    table = economics(predictions, prices, ticker=ticker, trials=trials)
    if not (table["scheme"] == WALK_FORWARD).any():
        context.log.info(f"{ticker}: no walk-forward rows to trade yet; `stock-assets backtest` makes them")
    shown = table[["model", "scheme", "n", "net_return", "sharpe", "buy_and_hold_return", "verdict"]]
    return dg.MaterializeResult(
        value=table, metadata={"economics": dg.MetadataValue.md(shown.round(3).to_markdown(index=False))}
    )
