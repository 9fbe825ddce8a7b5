"""One ticker through the platform's own code: prices, features, folds, models, evaluation, promotion."""

import tempfile
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.controls.cases import CALENDAR, CONTROLS, NOW, Case
from benchmarks.controls.least_squares import LeastSquares, permuted
from benchmarks.controls.promotion import ControlStore, promote
from stock_assets.forecasting.audit import Subject
from stock_assets.forecasting.backtest import run_backtest
from stock_assets.forecasting.calibration import calibrate
from stock_assets.forecasting.evaluation import evaluate, scale_mae
from stock_assets.forecasting.features import compute_features
from stock_assets.forecasting.folds import Plan, plan_folds
from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.models import BENCHMARK, Forecaster, discover
from stock_assets.forecasting.splits import holdout_splits

PLAN = Plan()
LEVELS = (80, 95)
_SHARED_MEMORY = Path("/dev/shm")  # noqa: S108 - a folder inside it is made with a random name


def measure(case: Case) -> dict[str, Any]:
    """What came of one ticker, as JSON-able values: scores by model, and who was promoted."""
    return measure_with(case, {name: _model(name, case) for name in case.models})


def measure_with(case: Case, models: Mapping[str, Forecaster]) -> dict[str, Any]:
    """The same for models given as they are.

    Args:
        case: whose `models` are not looked at.
        models: by name.
    """
    prices = case.prices()
    features = compute_features(prices)
    history, splits = build_history(prices, features), holdout_splits(features)
    plan = plan_folds(features, PLAN)
    with tempfile.TemporaryDirectory(dir=_SHARED_MEMORY if _SHARED_MEMORY.is_dir() else None) as folder:
        store = ControlStore(Path(folder), {name: type(model) for name, model in models.items()})
        made = [
            run_backtest(forecaster, history, plan, ticker=case.ticker, calendar=CALENDAR, store=store, now=lambda: NOW)
            for forecaster in (discover()[BENCHMARK](), *models.values())
        ]
        predictions = pd.concat([backtest.predictions for backtest in made], ignore_index=True)
        folds = pd.concat([backtest.folds for backtest in made], ignore_index=True)
        evaluation = evaluate(predictions, scale_mae=scale_mae(prices, splits))
        calibration = calibrate(predictions, prices)
        subject = Subject(prices, features, splits, folds, predictions, evaluation)
        promotion = promote(subject, calibration, store, ticker=case.ticker, models=list(models))
    scores = {name: _scores(evaluation, calibration, name) for name in models}
    return {**asdict(case), "scores": scores, **asdict(promotion)}


def _model(name: str, case: Case) -> Forecaster:
    model = LeastSquares if name == LeastSquares.name else discover()[name]
    return (permuted(model) if CONTROLS[case.control].is_permuted else model)(seed=case.number)


def _scores(evaluation: pd.DataFrame, calibration: pd.DataFrame, model: str) -> dict[str, Any]:
    (row,) = evaluation[evaluation["model"] == model].to_dict("records")
    coverage = calibration[calibration["model"] == model].set_index("level")["coverage"]
    kept = ("n", "rmse", "rmse_random_walk", "skill_vs_naive", "clark_west_p", "dm_hln_p")
    return {name: row[name] for name in kept} | {f"inside_{level}": float(coverage[level]) for level in LEVELS}
