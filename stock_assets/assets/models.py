"""One step per model file: `model/<name>` fits, `predictions/<name>` asks the stored fits, in one go.

Fits are content-addressed, so a rerun skips what is done. A daily update makes the predictions alone and fits nothing.
"""

from dataclasses import replace

import pandas as pd

from stock_assets.assets._fits import check, fit_outputs, prediction_notes, trained_rows
from stock_assets.bodies import Made, OneTicker
from stock_assets.clock import Clock
from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.models import BENCHMARK, Forecaster, discover
from stock_assets.forecasting.splits import HOLDOUT, LIVE
from stock_assets.forecasting.training import training
from stock_assets.forecasting.tuning import Found, searching, train_rows
from stock_assets.forecasting.units import Steps
from stock_assets.forecasting.updating import updating
from stock_assets.lineage import Declaration, lineage_asset
from stock_assets.resources import ModelSettings, Tracking
from stock_assets.tracking.fits import track_fit


def build_model_asset(model: type[Forecaster]) -> Declaration:
    """The step that fits `model` (once on frozen split boundaries, once on every labelled row) and asks its fits."""

    @lineage_asset(
        *fit_outputs(model.name, model.description),
        reads=["prices", "features", "splits"],
        logs=["tuning_trials"],
        kinds=model.libraries[:1],
        model=model.name,
        is_required=model.name == BENCHMARK,
        is_divisible=True,
    )
    def fitted(one: OneTicker, clock: Clock, model_settings: ModelSettings, tracking: Tracking) -> Steps[Made]:
        """Train, or find that these very fits exist already, and predict every session that has a role."""
        splits = one.read("splits")
        history = build_history(one.read("prices"), one.read("features"))
        if not one.makes("models"):
            return (yield from _update(one, model.name, history, splits))
        forecaster, rows = model_settings.forecaster(model.name), train_rows(history, splits)
        found = yield from searching(
            forecaster, history, rows, ticker=one.ticker, budget=model_settings.tune, store=one.store, progress=one.say
        )
        return (yield from _train(one, found, history, splits, clock, tracking))

    return fitted


def _update(one: OneTicker, name: str, history: pd.DataFrame, splits: pd.DataFrame) -> Steps[Made]:
    """A day's predictions from the fits in use."""
    stored = one.read("predictions", scheme=[HOLDOUT, LIVE])
    updated = yield from updating(
        stored, history, splits, ticker=one.ticker, model=name, calendar=one.calendar, store=one.store
    )
    findings = check(one, name, updated.predictions, splits)
    if updated.n_outdated:
        one.say(f"{updated.n_outdated} predictions were of another history or fit and are made again")
    notes = {"sessions_predicted": updated.n_asked, "predictions_outdated": updated.n_outdated}
    return Made(
        {"predictions": updated.predictions},
        findings,
        notes | prediction_notes(one, updated.predictions),
        unchanged=(HOLDOUT,) if updated.is_holdout_kept else (),
    )


def _train(
    one: OneTicker, found: Found, history: pd.DataFrame, splits: pd.DataFrame, clock: Clock, tracking: Tracking
) -> Steps[Made]:
    """Both fits with the settings found, what they say, and the word of it to MLflow."""
    name = found.forecaster.name
    with track_fit(tracking.store, one.context, ticker=one.ticker, model=name, warn=one.warn) as tracked:
        trained, answered = yield from training(
            found.forecaster,
            history,
            splits,
            ticker=one.ticker,
            store=one.store,
            now=clock.now,
            progress=one.say,
            starting=tracked.begin,
        )
        made = trained_rows(one, tracked, trained, answered, history, splits)
    return replace(made, tables={**made.tables, "tuning_trials": found.trials})


model_assets = [build_model_asset(model) for model in discover().values()]
