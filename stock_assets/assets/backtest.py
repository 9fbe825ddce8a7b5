"""One step per model: `backtest/<name>`, the walk-forward backtest. Slow, so it has a job of its own."""

from typing import Any

import dagster as dg

from stock_assets.clock import Clock
from stock_assets.forecasting.backtest import Backtest, check_backtest, plan_folds, run_backtest
from stock_assets.forecasting.findings import refuse
from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.models import BENCHMARK, Forecaster, discover
from stock_assets.forecasting.splits import WALK_FORWARD
from stock_assets.lineage import Declaration, Output, Read, lineage_asset
from stock_assets.resources import BacktestSettings, ModelSettings
from stock_assets.wide import Made, OneTicker

GROUP = "4_backtest"


def build_backtest_asset(model: type[Forecaster]) -> Declaration:
    """The step that fits `model` again and again on what came before, and predicts what followed."""

    @lineage_asset(
        Output(
            f"backtest/{model.name}",
            "predictions",
            GROUP,
            f"What {model.name} would have said, fold by fold: fitted on earlier sessions only, one session purged.",
            schemes=(WALK_FORWARD,),
        ),
        Output(
            f"backtest_folds/{model.name}",
            "backtest_folds",
            GROUP,
            f"The folds of the backtest of {model.name}: what was fitted on what, how often, and how it did.",
        ),
        reads=["prices", "features", *_of_parents(model)],
        logs=["tuning_trials"],
        kinds=model.libraries[:1],
        model=model.name,
        is_required=model.name == BENCHMARK,
    )
    def backtested(
        one: OneTicker, clock: Clock, model_settings: ModelSettings, backtest_settings: BacktestSettings
    ) -> Made:
        """Walk forward; folds that were fitted before are not fitted again."""
        features = one.read("features")
        folds = plan_folds(features, backtest_settings.plan(model))
        backtest = run_backtest(
            model_settings.forecaster(model.name),
            build_history(one.read("prices"), features),
            folds,
            ticker=one.ticker,
            calendar=one.calendar,
            store=one.store,
            now=clock.now,
            tune=model_settings.tune,
            parents=one.read("backtest_folds", model=list(model.parents)) if model.parents else None,
            progress=one.say,
        )
        findings = check_backtest(backtest.predictions, folds, features)
        refuse(findings, subject=f"{one.ticker} backtest of {model.name}")
        tables = {
            "predictions": backtest.predictions,
            "backtest_folds": backtest.folds,
            "tuning_trials": backtest.trials,
        }
        return Made(tables, findings, _notes(backtest))

    return backtested


def _of_parents(model: type[Forecaster]) -> list[Read]:
    return [Read("backtest_folds", model.parents)] if model.parents else []


def _notes(backtest: Backtest) -> dict[str, Any]:
    shown = backtest.folds.set_index("fold")[
        ["refitted", "train_end", "n_train", "test_start", "test_end", "n_test", "rmse", "rmse_random_walk"]
    ]
    return {
        "folds": dg.MetadataValue.md(shown.to_markdown()),
        "rows_predicted": len(backtest.predictions),
        "trials": len(backtest.trials),
    }


backtest_assets = [build_backtest_asset(model) for model in discover().values()]
