"""Who is trusted: the random walk until a model proves better."""

from datetime import UTC, datetime

import dagster as dg
import pandas as pd

from stock_assets.forecasting.champion import decide, is_news
from stock_assets.forecasting.models import discover
from stock_assets.lineage import lineage_asset
from stock_assets.resources import Warehouse
from storage.lake import Lake


@lineage_asset(
    key=["champion"],
    table="champion",
    group="5_evaluation",
    kinds={"pandas"},
    description="The random walk until a model's one-sided Clark-West test rejects at 5 % (Holm over models) and its "
    "RMSE is lower, on validation rows. Every decision is kept with its reason.",
    ins={"evaluation": dg.AssetIn("evaluation")},
    deps=[dg.AssetKey(["predictions", name]) for name in discover()],
)
def champion(
    context: dg.AssetExecutionContext, evaluation: pd.DataFrame, warehouse: Warehouse
) -> dg.MaterializeResult[pd.DataFrame]:
    """Decide, and keep the decision if it says anything new."""
    ticker = context.partition_key
    fits = fits_in_use(warehouse.lake, ticker)
    decision = decide(
        evaluation,
        ticker=ticker,
        versions={str(model): version for model, version in fits["version"].items()},
        promotable=[name for name in discover() if fits["target"].get(name) != "price"],
        decided_at=datetime.now(UTC),
    )
    earlier = warehouse.lake.read("champion", ticker=ticker)
    row = decision.iloc[0]
    return dg.MaterializeResult(
        value=decision if is_news(decision, earlier) else decision.iloc[:0],
        metadata={"champion": row["model"], "promoted": bool(row["promoted"]), "reason": row["reason"]},
    )


def fits_in_use(lake: Lake, ticker: str) -> pd.DataFrame:
    """The fit that each model's newest live prediction came from, as rows of the table `models` indexed by model."""
    predictions = lake.read("predictions", ticker=ticker, model=list(discover()))
    live = predictions[predictions["fold"] == "live"].sort_values("session").groupby("model").tail(1)
    fits = lake.read("models", ticker=ticker)
    return fits[fits["version"].isin(live["model_version"])].drop_duplicates("model").set_index("model")
