"""One asset per model file: `model/<name>`. Fits are content-addressed, so a rerun skips what is done."""

import dagster as dg
import pandas as pd

from stock_assets.clock import Clock
from stock_assets.forecasting.artifacts import describe
from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.models import Forecaster, discover
from stock_assets.forecasting.training import train
from stock_assets.forecasting.tuning import search, train_rows
from stock_assets.lineage import lineage_asset
from stock_assets.resources import ModelSettings, Tracking, Warehouse
from stock_assets.tracking.fits import track_fit


def build_model_asset(model: type[Forecaster]) -> dg.AssetsDefinition:
    """The asset that fits `model`: once on frozen split boundaries, once on every labelled row."""
    key = ["model", model.name]

    @lineage_asset(
        key=key,
        table="models",
        group="3_models",
        kinds=set(model.libraries[:1]),
        description=f"{model.description} Two fits: `evaluated` on train rows only, `final` on all labelled rows.",
        ins={name: dg.AssetIn(name) for name in ("prices", "features", "splits")},
        deps=[dg.AssetKey(["model", parent]) for parent in model.parents],
    )
    def fitted(
        context: dg.AssetExecutionContext,
        prices: pd.DataFrame,
        features: pd.DataFrame,
        splits: pd.DataFrame,
        warehouse: Warehouse,
        clock: Clock,
        model_settings: ModelSettings,
        tracking: Tracking,
    ) -> dg.MaterializeResult[pd.DataFrame]:
        """Train, or find that this very fit exists already."""
        ticker = context.partition_key
        history = build_history(prices, features)
        forecaster = _forecaster(model, history, splits, context, warehouse, model_settings)
        with track_fit(tracking.store, context, model.name) as tracked:
            trained = train(
                forecaster,
                history,
                splits,
                ticker=ticker,
                store=warehouse.models,
                now=clock.now,
                progress=context.log.info,
                starting=tracked.begin,
            )
            tracked.record(trained, history, splits, warehouse.models)
        rows = describe(trained).assign(run_id=context.run.run_id)
        earlier = warehouse.lake.read("models", ticker=ticker, model=model.name)
        table = _with_new_fits(earlier, rows)
        if tracked.run_id is not None:
            table.loc[table["version"].isin(rows["version"]), "mlflow_run_id"] = tracked.run_id
        return dg.MaterializeResult(value=table, metadata=_metadata(rows) | tracked.metadata())

    return fitted


def _forecaster(
    model: type[Forecaster],
    history: pd.DataFrame,
    splits: pd.DataFrame,
    context: dg.AssetExecutionContext,
    warehouse: Warehouse,
    settings: ModelSettings,
) -> Forecaster:
    """The model with its settings: the default, or what a search on the train rows chose, whose trials are kept."""
    found = search(
        settings.forecaster(model.name),
        history,
        train_rows(history, splits),
        ticker=context.partition_key,
        budget=settings.tune,
        store=warehouse.models,
        progress=context.log.info,
    )
    warehouse.lake.append("tuning_trials", found.trials, only_new=True)
    return found.forecaster


def _with_new_fits(earlier: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """A fit that was found in the store keeps its row, which says who made it."""
    address = ["version", "artifact_hash"]
    is_known = pd.MultiIndex.from_frame(rows[address]).isin(pd.MultiIndex.from_frame(earlier[address]))
    new = rows[~is_known]
    return pd.concat([earlier[~earlier["version"].isin(new["version"])], new], ignore_index=True)


def _metadata(rows: pd.DataFrame) -> dict[str, dg.MetadataValue]:
    shown = rows.set_index("kind")[["version", "train_start", "train_end", "n_train", "fit_seconds"]]
    return {
        "fits": dg.MetadataValue.md(shown.T.to_markdown()),
        "hyper_parameters": dg.MetadataValue.text(str(rows["hyper_parameters"].iloc[-1])),
    }


model_assets = [build_model_asset(model) for model in discover().values()]
