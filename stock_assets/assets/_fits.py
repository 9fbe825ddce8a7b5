"""What models and ensembles share as assets: their outputs, their rows of `models`, and their checked predictions."""

from typing import Any

import dagster as dg
import pandas as pd

from stock_assets.bodies import Made, OneTicker
from stock_assets.forecasting.artifacts import describe
from stock_assets.forecasting.findings import Finding, refuse
from stock_assets.forecasting.predictions import check_predictions, predict_all
from stock_assets.forecasting.splits import HOLDOUT, LIVE
from stock_assets.forecasting.stored_model import Answered, Trained
from stock_assets.lineage import Output
from stock_assets.tracking.fits import FitTracking


def fit_outputs(name: str, description: str) -> tuple[Output, Output]:
    """`model/<name>` and `predictions/<name>`."""
    return (
        Output(
            f"model/{name}",
            "models",
            "3_models",
            f"{description} Two fits: `evaluated` on train rows only, `final` on all labelled rows.",
        ),
        Output(
            f"predictions/{name}",
            "predictions",
            "4_predictions",
            f"What {name} said: validation and test sessions by its `evaluated` fit, later ones by its `final` fit, "
            "with 50, 80, 90 and 95 % intervals and the random walk's answer beside it.",
            schemes=(HOLDOUT, LIVE),
        ),
    )


def trained_rows(
    one: OneTicker,
    tracked: FitTracking,
    trained: Trained,
    answered: Answered,
    history: pd.DataFrame,
    splits: pd.DataFrame,
) -> Made:
    """What a step that has trained makes: its fits and their predictions, told to MLflow; errors as `check`."""
    table, findings = predict(one, trained, answered, history, splits)
    tracked.record(trained, table, one.store)
    return Made(
        {"models": _fit_rows(one, trained, tracked.run_id), "predictions": table},
        findings,
        {**_fit_notes(one, trained), **tracked.metadata(), **prediction_notes(one, table)},
    )


def _fit_rows(one: OneTicker, trained: Trained, mlflow_run_id: str | None) -> pd.DataFrame:
    """The ticker's rows of table `models`: a fit that was found in the store keeps its row, which says who made it."""
    rows = describe(trained).assign(run_id=one.run_id)
    earlier = one.read("models", model=trained.final.manifest.model)
    address = ["version", "artifact_hash"]
    is_known = pd.MultiIndex.from_frame(rows[address]).isin(pd.MultiIndex.from_frame(earlier[address]))
    new = rows[~is_known]
    table = pd.concat([earlier[~earlier["version"].isin(new["version"])], new], ignore_index=True)
    if mlflow_run_id is not None:
        table.loc[table["version"].isin(rows["version"]), "mlflow_run_id"] = mlflow_run_id
    return table


def _fit_notes(one: OneTicker, trained: Trained) -> dict[str, Any]:
    """Both fits, as people look at them."""
    rows = describe(trained)
    shown = rows.set_index("kind")[["version", "train_start", "train_end", "n_train", "fit_seconds"]]
    hyper_parameters = dg.MetadataValue.text(str(rows["hyper_parameters"].iloc[-1]))
    return {**one.pictures(fits=shown.T.to_markdown), "hyper_parameters": hyper_parameters}


def predict(
    one: OneTicker, trained: Trained, answered: Answered, history: pd.DataFrame, splits: pd.DataFrame
) -> tuple[pd.DataFrame, list[Finding]]:
    """Every session that has a role, checked; errors as `check`."""
    table = predict_all(trained, history, splits, ticker=one.ticker, calendar=one.calendar, answered=answered)
    return table, check(one, trained.final.manifest.model, table, splits)


def check(one: OneTicker, name: str, table: pd.DataFrame, splits: pd.DataFrame) -> list[Finding]:
    """What is doubtful about predictions; `RefusedData` where they cannot be right."""
    findings = check_predictions(table, splits, one.read("features"))
    refuse(findings, subject=f"{one.ticker} predictions of {name}")
    return findings


def prediction_notes(one: OneTicker, table: pd.DataFrame) -> dict[str, Any]:
    """How many rows there are, and the newest."""
    return one.pictures(
        rows_by_role=lambda: table["role"].value_counts().to_frame("rows").to_markdown(),
        newest=table.tail(1).T.to_markdown,
    )
