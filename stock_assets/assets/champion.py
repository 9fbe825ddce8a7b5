"""Who is trusted: the random walk until a model proves better."""

from typing import Any

import dagster as dg
import pandas as pd

from stock_assets.clock import Clock
from stock_assets.forecasting.champion import decide, is_news
from stock_assets.forecasting.evidence import outdated_backtests
from stock_assets.forecasting.models import discover
from stock_assets.forecasting.splits import LIVE, WALK_FORWARD
from stock_assets.lineage import lineage_asset
from stock_assets.resources import Tracking, Warehouse
from stock_assets.tracking.registry import next_best, sync_aliases
from stock_assets.tracking.store import TrackingUnavailable
from storage.lake import Lake


@lineage_asset(
    key=["champion"],
    table="champion",
    group="5_evaluation",
    kinds={"pandas"},
    description="The random walk until a model passes a monthly review of its walk-forward rows: Clark-West at 5 % "
    "(Holm over models), lower RMSE, 500 rows, honest intervals, clean audit. Every decision is kept with its reason.",
    ins={"evaluation": dg.AssetIn("evaluation")},
    deps=[
        *(dg.AssetKey(name) for name in ("calibration", "audit")),
        *(dg.AssetKey(["predictions", name]) for name in discover()),
    ],
)
def champion(
    context: dg.AssetExecutionContext, evaluation: pd.DataFrame, warehouse: Warehouse, tracking: Tracking, clock: Clock
) -> dg.MaterializeResult[pd.DataFrame]:
    """Decide, and keep the decision if it says anything new."""
    ticker = context.partition_key
    lake = warehouse.lake
    fits = fits_in_use(lake, ticker)
    versions = {str(model): str(version) for model, version in fits["version"].items()}
    earlier = lake.read("champion", ticker=ticker)
    folds = lake.read("backtest_folds", ticker=ticker, model=list(versions))
    tuned = set(lake.read("tuning_trials", ticker=ticker)["model"])
    decision = decide(
        evaluation,
        lake.read("calibration", ticker=ticker),
        lake.read("audit", ticker=ticker),
        earlier,
        predictions=lake.read("predictions", ticker=ticker, model=list(discover()), scheme=WALK_FORWARD),
        ticker=ticker,
        versions=versions,
        promotable=[name for name in discover() if fits["target"].get(name) != "price"],
        decided_at=clock.now(),
        outdated=outdated_backtests(versions, folds, tuned=tuned, ticker=ticker, store=warehouse.models),
    )
    row = decision.iloc[0]
    _show_in_mlflow(context, tracking, row, fits["version"].get(next_best(evaluation, row["model"])))
    return dg.MaterializeResult(
        value=decision if is_news(decision, earlier) else decision.iloc[:0],
        metadata={"champion": row["model"], "promoted": bool(row["promoted"]), "reason": row["reason"]},
    )


def _show_in_mlflow(
    context: dg.AssetExecutionContext, tracking: Tracking, row: "pd.Series[Any]", challenger: str | None
) -> None:
    try:
        missing = sync_aliases(
            tracking.store, context.partition_key, champion=row["model_version"], challenger=challenger
        )
    except TrackingUnavailable as error:
        context.log.warning(f"@champion and @challenger are not brought up to date: {error}")
    else:
        if missing:
            context.log.warning(f"no registered version for @{', @'.join(missing)}: that fit was not tracked")


def fits_in_use(lake: Lake, ticker: str) -> pd.DataFrame:
    """The fit that each model's newest live prediction came from, as rows of the table `models` indexed by model."""
    predictions = lake.read("predictions", ticker=ticker, model=list(discover()), scheme=LIVE)
    live = predictions.sort_values("session").groupby("model").tail(1)
    fits = lake.read("models", ticker=ticker)
    return fits[fits["version"].isin(live["model_version"])].drop_duplicates("model").set_index("model")
