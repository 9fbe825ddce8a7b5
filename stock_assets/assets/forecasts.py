"""The forecast log: appended to, never edited, scored when the session has closed."""

import dagster as dg
import pandas as pd

from stock_assets.clock import Clock
from stock_assets.forecasting.forecasts import as_markdown, make_forecasts, score_forecasts
from stock_assets.forecasting.models import discover
from stock_assets.forecasting.sessions import live_until
from stock_assets.lineage import lineage_asset, record_status, ticker_facts
from stock_assets.plots import forecast_fan
from stock_assets.resources import Warehouse

GROUP = "6_forecasts"


@lineage_asset(
    key=["forecasts"],
    table="forecasts",
    group=GROUP,
    kinds={"pandas"},
    description="Every model's forecast for the exchange's next session, from its `final` fit. Live only when written "
    "before that session opened. A rerun on the same data and models adds nothing.",
    ins={"prices": dg.AssetIn("prices")},
    deps=[dg.AssetKey("champion")],
)
def forecasts(
    context: dg.AssetExecutionContext, prices: pd.DataFrame, warehouse: Warehouse, clock: Clock
) -> dg.MaterializeResult[pd.DataFrame]:
    """Log the newest live prediction of each model."""
    ticker = context.partition_key
    lake = warehouse.lake
    table = make_forecasts(
        lake.read("predictions", ticker=ticker, model=list(discover())),
        prices,
        lake.read("models", ticker=ticker),
        champion=lake.read("champion", ticker=ticker).sort_values("decided_at")["model"].iloc[-1],
        existing=lake.read("forecasts", ticker=ticker),
        live_until=lambda session: live_until(ticker_facts(lake, ticker)["calendar"], session),
        created_at=clock.now(),
        run_id=context.run.run_id,
    )
    shown = {"forecasts": as_markdown(table)} | ({"fan": forecast_fan(prices, table)} if len(table) else {})
    return dg.MaterializeResult(value=table, metadata={name: dg.MetadataValue.md(text) for name, text in shown.items()})


@lineage_asset(
    key=["forecast_scores"],
    table="forecast_scores",
    group=GROUP,
    kinds={"pandas"},
    description="What became of each forecast, once its session has a bar. A corrected bar appends a new score.",
    ins={"prices": dg.AssetIn("prices"), "forecasts": dg.AssetIn("forecasts")},
)
def forecast_scores(
    context: dg.AssetExecutionContext, prices: pd.DataFrame, forecasts: pd.DataFrame, warehouse: Warehouse, clock: Clock
) -> dg.MaterializeResult[pd.DataFrame]:
    """Score what can be scored and has not been."""
    if _forecast_was_made(context):
        record_status(warehouse.lake, context.partition_key, "ok")
    existing = warehouse.lake.read("forecast_scores", ticker=context.partition_key)
    table = score_forecasts(forecasts, prices, existing, scored_at=clock.now())
    return dg.MaterializeResult(value=table, metadata={"new_scores": len(table), "scored_before": len(existing)})


def _forecast_was_made(context: dg.AssetExecutionContext) -> bool:
    """Whether this very run wrote the forecast. Scoring an old one cures no failure since."""
    selected = context.run.asset_selection
    return selected is None or dg.AssetKey("forecasts") in selected
