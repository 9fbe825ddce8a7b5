"""One step per model and ensemble: `backtest/<name>`, the walk-forward backtest. Slow, so it has a job of its own."""

import dagster as dg
import pandas as pd

from stock_assets.bodies import Made, OneTicker
from stock_assets.clock import Clock
from stock_assets.forecasting.backtest import Backtest, backtesting, check_backtest
from stock_assets.forecasting.combining import combine_backtests
from stock_assets.forecasting.ensembles import Ensemble, discover_ensembles, member_names
from stock_assets.forecasting.findings import refuse
from stock_assets.forecasting.folds import Fold, plan_folds
from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.models import BENCHMARK, Forecaster, discover
from stock_assets.forecasting.splits import WALK_FORWARD
from stock_assets.forecasting.units import Steps
from stock_assets.lineage import Declaration, Output, Read, lineage_asset
from stock_assets.resources import BacktestSettings, ModelSettings

GROUP = "4_backtest"


def build_backtest_asset(model: type[Forecaster]) -> Declaration:
    """The step that fits `model` again and again on what came before, and predicts what followed."""

    @lineage_asset(
        *_outputs(model.name),
        reads=["prices", "features"],
        logs=["tuning_trials"],
        kinds=model.libraries[:1],
        model=model.name,
        is_required=model.name == BENCHMARK,
    )
    def backtested(
        one: OneTicker, clock: Clock, model_settings: ModelSettings, backtest_settings: BacktestSettings
    ) -> Steps[Made]:
        """Walk forward; folds that were fitted before are not fitted again."""
        features = one.read("features")
        folds = plan_folds(features, backtest_settings.plan(model.backtest_refit_every))
        backtest = yield from backtesting(
            model_settings.forecaster(model.name),
            build_history(one.read("prices"), features),
            folds,
            ticker=one.ticker,
            calendar=one.calendar,
            store=one.store,
            now=clock.now,
            tune=model_settings.tune,
            progress=one.say,
        )
        return _made(one, model.name, backtest, folds, features)

    return backtested


def build_combined_backtest_asset(ensemble: type[Ensemble]) -> Declaration:
    """The step that combines the backtests of the members of `ensemble`."""

    @lineage_asset(
        *_outputs(ensemble.name),
        reads=[
            "prices",
            "features",
            Read("backtest_folds", models=member_names()),
            Read("predictions", models=member_names(), schemes=(WALK_FORWARD,)),
        ],
        kinds=ensemble.libraries[:1],
        model=ensemble.name,
        is_required=False,
    )
    def backtested(
        one: OneTicker, clock: Clock, model_settings: ModelSettings, backtest_settings: BacktestSettings
    ) -> Made:
        """Walk forward with what the members said, fold by fold."""
        features = one.read("features")
        folds = plan_folds(features, backtest_settings.plan(refit_every=1))
        backtest = combine_backtests(
            model_settings.ensemble(ensemble.name),
            build_history(one.read("prices"), features),
            folds,
            made=one.read("backtest_folds", model=list(member_names())),
            predictions=one.read("predictions", model=list(member_names())),
            ticker=one.ticker,
            calendar=one.calendar,
            store=one.store,
            now=clock.now,
            progress=one.say,
        )
        return _made(one, ensemble.name, backtest, folds, features)

    return backtested


def _outputs(name: str) -> tuple[Output, Output]:
    return (
        Output(
            f"backtest/{name}",
            "predictions",
            GROUP,
            f"What {name} would have said, fold by fold: fitted on earlier sessions only, one session purged.",
            schemes=(WALK_FORWARD,),
        ),
        Output(
            f"backtest_folds/{name}",
            "backtest_folds",
            GROUP,
            f"The folds of the backtest of {name}: what was fitted on what, how often, and how it did.",
        ),
    )


def _made(one: OneTicker, name: str, backtest: Backtest, folds: list[Fold], features: pd.DataFrame) -> Made:
    findings = check_backtest(backtest.predictions, folds, features)
    refuse(findings, subject=f"{one.ticker} backtest of {name}")
    tables = {"predictions": backtest.predictions, "backtest_folds": backtest.folds}
    if len(backtest.trials):
        tables["tuning_trials"] = backtest.trials
    columns = ["refitted", "train_end", "n_train", "test_start", "test_end", "n_test", "rmse", "rmse_random_walk"]
    shown = dg.MetadataValue.md(backtest.folds.set_index("fold")[columns].to_markdown())
    counts = {"rows_predicted": len(backtest.predictions), "trials": len(backtest.trials)}
    return Made(tables, findings, {"folds": shown, **counts})


backtest_assets = [
    *(build_backtest_asset(model) for model in discover().values()),
    *(build_combined_backtest_asset(ensemble) for ensemble in discover_ensembles().values()),
]
