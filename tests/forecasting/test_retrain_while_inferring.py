"""A retrain and an inference at the same time, as real processes: whoever predicts has one whole model, old or new."""

import multiprocessing
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.forecasting.errors import ArtifactMismatch
from stock_assets.forecasting.features import compute_features
from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.models.xgboost import XGBoost
from stock_assets.forecasting.splits import holdout_splits
from stock_assets.forecasting.stored_model import Trained
from stock_assets.forecasting.training import train
from tests.synthetic import garch_bars

TICKER, SEEDS = "GARCH", range(6)


def _inputs() -> tuple[pd.DataFrame, pd.DataFrame]:
    prices = garch_bars(TICKER, 700, seed=7)
    features = compute_features(prices)
    return build_history(prices, features), holdout_splits(features)


def _retrain(root: Path, begin: Any, done: Any) -> None:
    history, splits = _inputs()
    store = ArtifactStore(root)
    begin.wait()
    for seed in [*SEEDS, *SEEDS]:  # the second time, each fit is found and the pointer moves back
        forecaster = XGBoost(seed=seed, n_estimators=10, subsample=0.5)
        train(forecaster, history, splits, ticker=TICKER, store=store, now=lambda: datetime(2012, 10, 1, tzinfo=UTC))
    done.set()


def _infer(root: Path, begin: Any, done: Any, results: Any) -> None:
    import xgboost  # noqa: F401 - loaded before the race, not in its first second

    history, _ = _inputs()
    store = ArtifactStore(root)
    seen, n = {}, 0
    begin.wait()
    while not done.is_set() or n == 0:
        try:
            trained = store.load_current(TICKER, "xgboost")
        except ArtifactMismatch as error:
            assert "no xgboost has been trained" in str(error), error  # noqa: PT017 - any other refusal is the fault
            continue
        n += 1
        seen[_versions(trained)] = _answers(trained, history)
    results.put((n, seen))


def _versions(trained: Trained) -> tuple[str, str]:
    return trained.evaluated.manifest.version, trained.final.manifest.version


def _answers(trained: Trained, history: pd.DataFrame) -> tuple[bytes, bytes]:
    return tuple(np.asarray(fit.predict(history)).tobytes() for fit in (trained.evaluated, trained.final))  # type: ignore[return-value]


@pytest.mark.slow
def test_inference_beside_retraining_sees_whole_models_whose_two_fits_belong_together(tmp_path: Path) -> None:
    context = multiprocessing.get_context("spawn")
    begin, done, results = context.Barrier(4), context.Event(), context.Queue()
    # Two retrain the same fits, so that they also meet over one folder.
    trainers = [context.Process(target=_retrain, args=(tmp_path, begin, done)) for _ in range(2)]
    readers = [context.Process(target=_infer, args=(tmp_path, begin, done, results)) for _ in range(2)]
    for process in trainers + readers:
        process.start()
    answers = [results.get(timeout=300) for _ in readers]
    for process in trainers + readers:
        process.join(timeout=60)
        assert process.exitcode == 0

    history, splits = _inputs()
    alone = ArtifactStore(tmp_path / "alone")
    expected = {}
    for seed in SEEDS:
        forecaster = XGBoost(seed=seed, n_estimators=10, subsample=0.5)
        trained = train(forecaster, history, splits, ticker=TICKER, store=alone, now=lambda: datetime.now(UTC))
        expected[_versions(trained)] = _answers(trained, history)
    assert len(set(expected.values())) == len(SEEDS), "the fits could be told apart"
    for n, seen in answers:
        assert n >= len(seen) >= 2, "models changed while it looked"
        assert all(expected[versions] == predicted for versions, predicted in seen.items())
