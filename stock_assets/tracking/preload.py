"""Imported by the server that a training run's steps are forked from: MLflow is loaded once, not by each step."""

import importlib
import warnings

from stock_assets.settings import quiet_libraries

_MODULES = (
    "dagster_mlflow",
    "mlflow.store.tracking.sqlalchemy_store",
    "mlflow.store.model_registry.sqlalchemy_store",
    "matplotlib.figure",
    "matplotlib.backends.backend_agg",
)

quiet_libraries()
with warnings.catch_warnings():
    warnings.simplefilter("ignore")  # dagster_mlflow calls its own hooks beta
    for _name in _MODULES:
        importlib.import_module(_name)
