"""A trained model on 700 sessions without signal, shared by the tests of training, predictions and forecasts."""

import shutil
from dataclasses import dataclass
from datetime import UTC, datetime

import pandas as pd
import pytest

from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.forecasting.combining import combine
from stock_assets.forecasting.features import compute_features
from stock_assets.forecasting.models.lstm_pytorch import LstmPytorch
from stock_assets.forecasting.models.random_walk import RandomWalk
from stock_assets.forecasting.models.xgboost import XGBoost
from stock_assets.forecasting.predictions import predict_all
from stock_assets.forecasting.splits import holdout_splits
from stock_assets.forecasting.stored_model import Trained
from stock_assets.forecasting.training import train
from tests.forecasting.combined import ENSEMBLES, MEMBERS

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


@dataclass(frozen=True)
class Combined:
    """Fits of two small models and of the ensembles that combine them.

    Attributes:
        fits: in use, by name.
        said: rows of table `predictions` of the two models.
        store: where the fits are. Do not change it: use `combined_store`.
    """

    fits: dict[str, Trained]
    said: pd.DataFrame
    store: ArtifactStore


@pytest.fixture(scope="session")
def combined(garch_history, garch_splits, tmp_path_factory):
    """Two small models and both ensembles, trained."""
    store = ArtifactStore(tmp_path_factory.mktemp("combined"))
    where = {"ticker": "GARCH", "store": store, "now": lambda: NOW}
    fits = {name: train(model, garch_history, garch_splits, **where) for name, model in MEMBERS.items()}
    said = pd.concat(
        [predict_all(fit, garch_history, garch_splits, ticker="GARCH", calendar="XNYS") for fit in fits.values()]
    )
    for ensemble in ENSEMBLES:
        fits[ensemble.name], _ = combine(ensemble(), garch_history, garch_splits, said, **where)
    return Combined(fits, said, store)


@pytest.fixture
def fits(combined):
    """Fits in use by name."""
    return combined.fits


@pytest.fixture
def combined_store(combined, tmp_path):
    """A copy that a test may change."""
    shutil.copytree(combined.store.root, tmp_path / "models")
    return ArtifactStore(tmp_path / "models")


@pytest.fixture
def train_again(combined_store, garch_history, garch_splits):
    """Trains a model in `combined_store`."""

    def again(forecaster, history=garch_history, splits=garch_splits, **options):
        return train(forecaster, history, splits, ticker="GARCH", store=combined_store, now=lambda: NOW, **options)

    return again


@pytest.fixture
def combine_again(combined, combined_store, garch_history, garch_splits):
    """Combines in `combined_store` what the fits in use there say."""

    def again(ensemble, history=garch_history, splits=garch_splits, said=None, **options):
        if said is None:
            trained = [combined_store.load_current("GARCH", name) for name in MEMBERS]
            said = pd.concat([predict_all(fit, history, splits, ticker="GARCH", calendar="XNYS") for fit in trained])
        where = {"ticker": "GARCH", "store": combined_store, "now": lambda: NOW}
        return combine(ensemble, history, splits, said, **where, **options)[0]

    return again


@pytest.fixture(scope="session")
def network(garch_history, garch_splits, tmp_path_factory):
    """Both fits of a small network, after one epoch."""
    store = ArtifactStore(tmp_path_factory.mktemp("network"))
    forecaster = LstmPytorch.fast(max_epochs=1)
    return train(forecaster, garch_history, garch_splits, ticker="GARCH", store=store, now=lambda: NOW)
