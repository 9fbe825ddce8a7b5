"""The walk-forward backtest: fit on what came before each fold, predict the fold, and what became of it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from stock_assets.forecasting import metrics
from stock_assets.forecasting.addresses import Rows
from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.forecasting.findings import Finding
from stock_assets.forecasting.folds import Fold, as_splits
from stock_assets.forecasting.history import training_window
from stock_assets.forecasting.manifest import table_row
from stock_assets.forecasting.models import Forecaster, Progress, quiet
from stock_assets.forecasting.predictions import check_predictions, predict_sessions
from stock_assets.forecasting.sessions import next_session
from stock_assets.forecasting.splits import check_splits
from stock_assets.forecasting.stored_model import StoredModel
from stock_assets.forecasting.training import fitting_fold
from stock_assets.forecasting.tuning import searching
from stock_assets.forecasting.units import Steps, drive, together


@dataclass(frozen=True)
class Backtest:
    """Rows of tables `predictions`, role test, `backtest_folds`, and `tuning_trials` where anything was searched."""

    predictions: pd.DataFrame
    folds: pd.DataFrame
    trials: pd.DataFrame


def backtesting(
    forecaster: Forecaster,
    history: pd.DataFrame,
    folds: Sequence[Fold],
    *,
    ticker: str,
    calendar: str,
    store: ArtifactStore,
    now: Callable[[], datetime],
    tune: int = 0,
    progress: Progress = quiet,
) -> Steps[Backtest]:
    """Fit where a fold has a fit of its own, and predict each fold. Fits that the store has are not repeated.

    Takes the ticker's whole history (`build_history`) and all folds, from `plan_folds`; `now` (aware) is asked when a
    fit is written down; `tune` is how many settings are tried within each fit's own training window. `TooFewRows` where
    there are too few for the model or for its calibration.
    """
    following = next_session(calendar, history["session"].iloc[-1].date())
    lead = _position(history, folds[0].train[0])
    trials, work = [], []
    for fold in folds:
        if not fold.refitted:
            continue
        say = _prefixed(progress, f"fold {fold.number + 1}/{len(folds)}")
        known, learned = _window(history, fold, lead)
        found = yield from searching(forecaster, known, learned, ticker=ticker, budget=tune, store=store, progress=say)
        trials.append(found.trials)
        asked = history[history["session"] <= _last_asked(folds, fold)]
        work.append(
            fitting_fold(
                found.forecaster, known, learned, asked=asked, ticker=ticker, store=store, now=now, progress=say
            )
        )
    fits = iter((yield from together(work)))
    predictions, rows = [], []
    for fold in folds:
        if fold.refitted:
            fit, raw = next(fits)
        published = np.full(len(history), np.nan)
        published[: len(raw)] = fit.publish(raw)
        asked_of = pd.Series("test", index=fold.test)
        predicted = predict_sessions(
            fit, history, asked_of, ticker=ticker, fold=fold.name, following=following, published=published
        )
        say = _prefixed(progress, f"fold {fold.number + 1}/{len(folds)}")
        say(f"{len(predicted)} sessions predicted from {fold.test[0]:%Y-%m-%d}")
        predictions.append(predicted)
        rows.append(fold_row(fold, fit, predicted))
    return Backtest(pd.concat(predictions, ignore_index=True), pd.DataFrame(rows), pd.concat(trials, ignore_index=True))


def run_backtest(forecaster: Forecaster, history: pd.DataFrame, folds: Sequence[Fold], **options: Any) -> Backtest:
    """`backtesting` in this process; arguments and errors are its."""
    return drive(backtesting(forecaster, history, folds, **options))


def _last_asked(folds: Sequence[Fold], fitted: Fold) -> pd.Timestamp:
    """Last session predicted by the fit of a fold: that of the last fold before the next one with a fit of its own."""
    later = (fold.number for fold in folds[fitted.number + 1 :] if fold.refitted)
    return folds[next(later, len(folds)) - 1].test[-1]


def check_backtest(predictions: pd.DataFrame, folds: Sequence[Fold], features: pd.DataFrame) -> list[Finding]:
    """Check the folds by the rules of every split, and the predictions of one model by those of every prediction."""
    splits = as_splits(folds, features)
    findings = [*check_splits(splits, features), *check_predictions(predictions, splits, features)]
    silent = [fold for fold in folds if fold.name not in set(predictions["fold"])]
    if silent:
        names = ", ".join(fold.name for fold in silent)
        sessions = tuple(session.date() for fold in silent for session in fold.test)
        findings.append(Finding("predictions_complete", "error", f"folds without a prediction: {names}", sessions))
    return findings


def _window(history: pd.DataFrame, fold: Fold, lead: int) -> tuple[pd.DataFrame, Rows]:
    """What a fold's fit may look at, and the positions in it of the labels it learns from.

    A window that rolls takes along as many sessions of inputs before its first label as the first fold has.
    """
    first, last = _position(history, fold.train[0]), _position(history, fold.train[-1])
    known = training_window(history, first, last, lead=lead)
    return known, np.flatnonzero(known["session"].isin(fold.train))


def _position(history: pd.DataFrame, session: pd.Timestamp) -> int:
    return int(history["session"].searchsorted(session))


def fold_row(fold: Fold, fit: StoredModel, predicted: pd.DataFrame) -> dict[str, Any]:
    """The row of table `backtest_folds` of a fold: what was fitted on what, and how it did."""
    made = table_row(fit.manifest)
    scores = predicted["actual"], predicted["predicted"], predicted["naive"]
    return {
        **{name: made[name] for name in ("ticker", "model", "train_start", "train_end", "n_train", "data_version")},
        **{name: made[name] for name in ("code_version", "seed", "hyper_parameters", "fitted_at", "fit_seconds")},
        "model_version": made["version"],
        "fold": fold.name,
        "window": fold.plan.window,
        "step": fold.plan.step,
        "refit_every": fold.plan.refit_every,
        "refitted": fold.refitted,
        "test_start": fold.test[0],
        "test_end": fold.test[-1],
        "n_test": len(predicted),
        "rmse": metrics.rmse(scores[0], scores[1]) if len(predicted) else np.nan,
        "rmse_random_walk": metrics.rmse(scores[0], scores[2]) if len(predicted) else np.nan,
        "skill_vs_naive": metrics.skill_vs_naive(*scores) if len(predicted) else np.nan,
    }


def _prefixed(progress: Progress, prefix: str) -> Progress:
    return lambda message: progress(f"{prefix}: {message}")
