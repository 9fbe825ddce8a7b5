"""A trained model on 700 sessions without signal, shared by the tests of training, predictions and forecasts."""

import shutil
from datetime import UTC, datetime

import pandas as pd
import pytest

from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.forecasting.features import compute_features
from stock_assets.forecasting.models.lstm_pytorch import LstmPytorch
from stock_assets.forecasting.models.random_walk import RandomWalk
from stock_assets.forecasting.models.xgboost import XGBoost
from stock_assets.forecasting.splits import holdout_splits
from stock_assets.forecasting.training import train
from tests.forecasting.combined import ENSEMBLES, PARENTS

NOW = datetime(2012, 10, 1, 12, tzinfo=UTC)


@pytest.fixture(scope="session")
def garch_features(garch_prices: pd.DataFrame) -> pd.DataFrame:
    """Features of `garch_prices`."""
    return compute_features(garch_prices)


@pytest.fixture(scope="session")
def garch_splits(garch_features: pd.DataFrame) -> pd.DataFrame:
    """Splits of `garch_prices`."""
    return holdout_splits(garch_features)


@pytest.fixture(scope="session")
def boosted(garch_history, garch_splits, tmp_path_factory):
    """Both fits of a small XGBoost, and the store they are in. Do not change the store: copy it."""
    store = ArtifactStore(tmp_path_factory.mktemp("boosted"))
    forecaster = XGBoost(n_estimators=20)
    return train(forecaster, garch_history, garch_splits, ticker="GARCH", store=store, now=lambda: NOW), store


@pytest.fixture(scope="session")
def walk(garch_history, garch_splits, tmp_path_factory):
    """Both fits of the random walk."""
    store = ArtifactStore(tmp_path_factory.mktemp("walk"))
    return train(RandomWalk(), garch_history, garch_splits, ticker="GARCH", store=store, now=lambda: NOW)


@pytest.fixture(scope="module")
def two_parents():
    """The ensembles combine two small trees instead of all that learn."""
    with pytest.MonkeyPatch.context() as patch:
        for ensemble in ENSEMBLES:
            patch.setattr(ensemble, "parents", tuple(PARENTS))
        yield


@pytest.fixture(scope="module")
def combined(two_parents, garch_history, garch_splits, tmp_path_factory):
    """Fits in use by model, and their store. Do not change the store: use `combined_store`."""
    store = ArtifactStore(tmp_path_factory.mktemp("combined"))
    forecasters = [*PARENTS.values(), *(ensemble() for ensemble in ENSEMBLES)]
    return {
        model.name: train(model, garch_history, garch_splits, ticker="GARCH", store=store, now=lambda: NOW)
        for model in forecasters
    }, store


@pytest.fixture
def fits(combined):
    """Fits in use by model."""
    return combined[0]


@pytest.fixture
def combined_store(combined, tmp_path):
    """A copy that a test may change."""
    shutil.copytree(combined[1].root, tmp_path / "models")
    return ArtifactStore(tmp_path / "models")


@pytest.fixture
def train_again(combined_store, garch_history, garch_splits):
    """Trains in `combined_store`."""

    def again(forecaster, history=garch_history, splits=garch_splits, **options):
        return train(forecaster, history, splits, ticker="GARCH", store=combined_store, now=lambda: NOW, **options)

    return again


@pytest.fixture(scope="session")
def network(garch_history, garch_splits, tmp_path_factory):
    """Both fits of a small network, after one epoch."""
    store = ArtifactStore(tmp_path_factory.mktemp("network"))
    forecaster = LstmPytorch.fast(max_epochs=1)
    return train(forecaster, garch_history, garch_splits, ticker="GARCH", store=store, now=lambda: NOW)
