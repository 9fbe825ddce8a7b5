"""One asset per model: `predictions/<name>`. Stored models answer; nothing is fitted here."""

import dagster as dg
import pandas as pd

from stock_assets.checks import check_results
from stock_assets.forecasting.findings import refuse
from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.models import Forecaster, discover
from stock_assets.forecasting.predictions import check_predictions, predict_all
from stock_assets.forecasting.splits import HOLDOUT, LIVE
from stock_assets.lineage import lineage_asset, ticker_facts
from stock_assets.resources import Warehouse


def build_predictions_asset(model: type[Forecaster]) -> dg.AssetsDefinition:
    """The asset that asks the stored fits of `model`."""
    key = ["predictions", model.name]

    @lineage_asset(
        key=key,
        table="predictions",
        group="4_predictions",
        kinds=set(model.libraries[:1]),
        description=f"What {model.name} said: validation and test sessions by its `evaluated` fit, sessions since then "
        "by its `final` fit, with 50, 80, 90 and 95 % intervals and the random walk's answer beside it.",
        ins={name: dg.AssetIn(name) for name in ("prices", "features", "splits")},
        deps=[dg.AssetKey(["model", model.name])],
        schemes=[HOLDOUT, LIVE],
    )
    def predicted(
        context: dg.AssetExecutionContext,
        prices: pd.DataFrame,
        features: pd.DataFrame,
        splits: pd.DataFrame,
        warehouse: Warehouse,
    ) -> dg.MaterializeResult[pd.DataFrame]:
        """Predict every session that has a role."""
        ticker = context.partition_key
        calendar = ticker_facts(warehouse.lake, ticker)["calendar"]
        trained = warehouse.models_in_use.load_current(ticker, model.name)
        table = predict_all(trained, build_history(prices, features), splits, ticker=ticker, calendar=calendar)
        findings = check_predictions(table, splits, features)
        refuse(findings, subject=f"{ticker} predictions of {model.name}")
        return dg.MaterializeResult(
            value=table,
            check_results=check_results(key, findings),
            metadata={
                "rows_by_role": dg.MetadataValue.md(table["role"].value_counts().to_frame("rows").to_markdown()),
                "newest": dg.MetadataValue.md(table.tail(1).T.to_markdown()),
            },
        )

    return predicted


prediction_assets = [build_predictions_asset(model) for model in discover().values()]
