"""One step per model file: `model/<name>` fits, `predictions/<name>` asks the stored fits, in one go.

Fits are content-addressed, so a rerun skips what is done. A daily update makes the predictions alone: nothing is fitted.
"""

from collections.abc import Mapping
from typing import Any

import dagster as dg
import pandas as pd

from stock_assets.clock import Clock
from stock_assets.forecasting.artifacts import describe
from stock_assets.forecasting.findings import Finding, refuse
from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.models import BENCHMARK, Forecaster, discover
from stock_assets.forecasting.predictions import check_predictions, predict_all
from stock_assets.forecasting.splits import HOLDOUT, LIVE
from stock_assets.forecasting.stored_model import Trained
from stock_assets.forecasting.training import train
from stock_assets.forecasting.tuning import search, train_rows
from stock_assets.lineage import Declaration, Output, Read, lineage_asset
from stock_assets.resources import ModelSettings, Tracking
from stock_assets.tracking.fits import track_fit
from stock_assets.wide import Made, OneTicker


def build_model_asset(model: type[Forecaster]) -> Declaration:
    """The step that fits `model` (once on frozen split boundaries, once on every labelled row) and asks its fits."""

    @lineage_asset(
        Output(
            f"model/{model.name}",
            "models",
            "3_models",
            f"{model.description} Two fits: `evaluated` on train rows only, `final` on all labelled rows.",
        ),
        Output(
            f"predictions/{model.name}",
            "predictions",
            "4_predictions",
            f"What {model.name} said: validation and test sessions by its `evaluated` fit, sessions since then by its "
            "`final` fit, with 50, 80, 90 and 95 % intervals and the random walk's answer beside it.",
            schemes=(HOLDOUT, LIVE),
        ),
        reads=["prices", "features", "splits", *_of_parents(model)],
        logs=["tuning_trials"],
        kinds=model.libraries[:1],
        model=model.name,
        is_required=model.name == BENCHMARK,
        is_divisible=True,
    )
    def fitted(one: OneTicker, clock: Clock, model_settings: ModelSettings, tracking: Tracking) -> Made:
        """Train, or find that these very fits exist already, and predict every session that has a role."""
        splits = one.read("splits")
        history = build_history(one.read("prices"), one.read("features"))
        tables: dict[str, pd.DataFrame] = {}
        notes: dict[str, Any] = {}
        if one.makes("models"):
            trained, tables, notes = _train(one, model, history, splits, clock, model_settings, tracking)
        else:
            trained = one.store.load_current(one.ticker, model.name)
        findings: list[Finding] = []
        if one.makes("predictions"):
            table = predict_all(trained, history, splits, ticker=one.ticker, calendar=one.calendar)
            findings = check_predictions(table, splits, one.read("features"))
            refuse(findings, subject=f"{one.ticker} predictions of {model.name}")
            tables |= {"predictions": table}
            notes |= {
                "rows_by_role": dg.MetadataValue.md(table["role"].value_counts().to_frame("rows").to_markdown()),
                "newest": dg.MetadataValue.md(table.tail(1).T.to_markdown()),
            }
        return Made(tables, findings, notes)

    return fitted


def _of_parents(model: type[Forecaster]) -> list[Read]:
    return [Read("models", model.parents)] if model.parents else []


def _train(
    one: OneTicker,
    model: type[Forecaster],
    history: pd.DataFrame,
    splits: pd.DataFrame,
    clock: Clock,
    settings: ModelSettings,
    tracking: Tracking,
) -> tuple[Trained, dict[str, pd.DataFrame], dict[str, Any]]:
    found = search(
        settings.forecaster(model.name),
        history,
        train_rows(history, splits),
        ticker=one.ticker,
        budget=settings.tune,
        store=one.store,
        progress=one.say,
    )
    with track_fit(tracking.store, one.context, ticker=one.ticker, model=model.name, warn=one.warn) as tracked:
        trained = train(
            found.forecaster,
            history,
            splits,
            ticker=one.ticker,
            store=one.store,
            now=clock.now,
            progress=one.say,
            starting=tracked.begin,
        )
        tracked.record(trained, history, splits, one.store)
    rows = describe(trained).assign(run_id=one.run_id)
    table = _with_new_fits(one.read("models", model=model.name), rows)
    if tracked.run_id is not None:
        table.loc[table["version"].isin(rows["version"]), "mlflow_run_id"] = tracked.run_id
    return trained, {"models": table, "tuning_trials": found.trials}, {**_notes(rows), **tracked.metadata()}


def _with_new_fits(earlier: pd.DataFrame, rows: pd.DataFrame) -> pd.DataFrame:
    """A fit that was found in the store keeps its row, which says who made it."""
    address = ["version", "artifact_hash"]
    is_known = pd.MultiIndex.from_frame(rows[address]).isin(pd.MultiIndex.from_frame(earlier[address]))
    new = rows[~is_known]
    return pd.concat([earlier[~earlier["version"].isin(new["version"])], new], ignore_index=True)


def _notes(rows: pd.DataFrame) -> Mapping[str, Any]:
    shown = rows.set_index("kind")[["version", "train_start", "train_end", "n_train", "fit_seconds"]]
    return {
        "fits": dg.MetadataValue.md(shown.T.to_markdown()),
        "hyper_parameters": dg.MetadataValue.text(str(rows["hyper_parameters"].iloc[-1])),
    }


model_assets = [build_model_asset(model) for model in discover().values()]
