"""Who is trusted: the random walk until a model proves better."""

from datetime import UTC, datetime

import dagster as dg
import pandas as pd

from stock_assets.forecasting.champion import decide, is_news
from stock_assets.lineage import lineage_asset
from stock_assets.resources import Warehouse


@lineage_asset(
    key=["champion"],
    table="champion",
    group="5_evaluation",
    kinds={"pandas"},
    description="The random walk until a model's one-sided Clark-West test rejects at 5 % (Holm over models) and its "
    "RMSE is lower, on validation rows. Every decision is kept with its reason.",
    ins={"evaluation": dg.AssetIn("evaluation")},
)
def champion(
    context: dg.AssetExecutionContext, evaluation: pd.DataFrame, warehouse: Warehouse
) -> dg.MaterializeResult[pd.DataFrame]:
    """Decide, and keep the decision if it says anything new."""
    ticker = context.partition_key
    final = current_finals(warehouse, ticker)
    decision = decide(
        evaluation,
        ticker=ticker,
        versions={str(model): version for model, version in final["version"].items()},
        promotable=final.index[final["target"] == "log_return"],
        decided_at=datetime.now(UTC),
    )
    earlier = warehouse.lake.read("champion", ticker=ticker)
    row = decision.iloc[0]
    return dg.MaterializeResult(
        value=decision if is_news(decision, earlier) else decision.iloc[:0],
        metadata={"champion": row["model"], "promoted": bool(row["promoted"]), "reason": row["reason"]},
    )


def current_finals(warehouse: Warehouse, ticker: str) -> pd.DataFrame:
    """The newest `final` fit of each model as rows of the table `models`, indexed by model name."""
    fits = warehouse.lake.read("models", ticker=ticker)
    return fits[fits["kind"] == "final"].sort_values("fitted_at").groupby("model").tail(1).set_index("model")
