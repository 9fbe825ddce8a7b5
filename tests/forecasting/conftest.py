"""A trained model on 700 sessions without signal, shared by the tests of training, predictions and forecasts."""

from datetime import UTC, datetime

import pandas as pd
import pytest

from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.forecasting.features import compute_features
from stock_assets.forecasting.models.random_walk import RandomWalk
from stock_assets.forecasting.models.xgboost import XGBoost
from stock_assets.forecasting.splits import holdout_splits
from stock_assets.forecasting.training import train

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
