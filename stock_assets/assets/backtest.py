"""One asset per model: `backtest/<name>`, the walk-forward backtest. Slow, so it has a job of its own."""

import dagster as dg
import pandas as pd

from stock_assets.checks import check_results
from stock_assets.clock import Clock
from stock_assets.forecasting.backtest import Backtest, check_backtest, plan_folds, run_backtest
from stock_assets.forecasting.findings import refuse
from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.models import Forecaster, discover
from stock_assets.forecasting.splits import WALK_FORWARD
from stock_assets.lineage import lineage_asset, ticker_facts
from stock_assets.resources import BacktestSettings, ModelSettings, Warehouse


def build_backtest_asset(model: type[Forecaster]) -> dg.AssetsDefinition:
    """The asset that fits `model` again and again on what came before, and predicts what followed."""
    key = ["backtest", model.name]

    @lineage_asset(
        key=key,
        table="predictions",
        group="4_backtest",
        kinds=set(model.libraries[:1]),
        description=f"What {model.name} would have said, fold by fold: fitted on earlier sessions only, one session "
        "purged. The folds and their fits are in backtest_folds.",
        ins={name: dg.AssetIn(name) for name in ("prices", "features")},
        deps=[dg.AssetKey(["backtest", parent]) for parent in model.parents],
        schemes=[WALK_FORWARD],
    )
    def backtested(
        context: dg.AssetExecutionContext,
        prices: pd.DataFrame,
        features: pd.DataFrame,
        warehouse: Warehouse,
        clock: Clock,
        model_settings: ModelSettings,
        backtest_settings: BacktestSettings,
    ) -> dg.MaterializeResult[pd.DataFrame]:
        """Walk forward; folds that were fitted before are not fitted again."""
        ticker = context.partition_key
        folds = plan_folds(features, backtest_settings.plan(model))
        backtest = run_backtest(
            model_settings.forecaster(model.name),
            build_history(prices, features),
            folds,
            ticker=ticker,
            calendar=ticker_facts(warehouse.lake, ticker)["calendar"],
            store=warehouse.models,
            now=clock.now,
            tune=model_settings.tune,
            parents=warehouse.lake.read("backtest_folds", ticker=ticker, model=list(model.parents)),
            progress=context.log.info,
        )
        findings = check_backtest(backtest.predictions, folds, features)
        refuse(findings, subject=f"{ticker} backtest of {model.name}")
        warehouse.lake.append("tuning_trials", backtest.trials, only_new=True)
        warehouse.lake.write("backtest_folds", backtest.folds, ticker=ticker, model=model.name)
        return dg.MaterializeResult(
            value=backtest.predictions, check_results=check_results(key, findings), metadata=_metadata(backtest)
        )

    return backtested


def _metadata(backtest: Backtest) -> dict[str, dg.MetadataValue]:
    shown = backtest.folds.set_index("fold")[
        ["refitted", "train_end", "n_train", "test_start", "test_end", "n_test", "rmse", "rmse_random_walk"]
    ]
    return {
        "folds": dg.MetadataValue.md(shown.to_markdown()),
        "rows_predicted": dg.MetadataValue.int(len(backtest.predictions)),
        "trials": dg.MetadataValue.int(len(backtest.trials)),
    }


backtest_assets = [build_backtest_asset(model) for model in discover().values()]
