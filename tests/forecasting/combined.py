"""Real fits in the form a store keeps them, for combinations to be made of."""

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from stock_assets.forecasting import out_of_sample
from stock_assets.forecasting.manifest import Manifest, hash_rows
from stock_assets.forecasting.models import Fitted, Forecaster, discover
from stock_assets.forecasting.models._combination import Combination
from stock_assets.forecasting.models.ensemble_equal import EnsembleEqual
from stock_assets.forecasting.models.ensemble_inverse_error import EnsembleInverseError
from stock_assets.forecasting.models.random_forest import RandomForest
from stock_assets.forecasting.models.xgboost import XGBoost
from stock_assets.forecasting.stored_model import StoredModel

Fit = Callable[..., Fitted]

PARENTS = {"random_forest": RandomForest(n_estimators=10), "xgboost": XGBoost(n_estimators=20)}
ENSEMBLES: tuple[type[Combination], ...] = (EnsembleEqual, EnsembleInverseError)


def ready(model: type[Forecaster], fit: Fit, history: pd.DataFrame, learned: int, **settings: Any) -> Forecaster:
    """`model` in its fast settings, ready to be fitted: a combination has its parents' fits at hand.

    Args:
        fit: gives a fit on the first `learned` rows of `history` for a model and settings.
    """
    forecaster = model.fast(**settings)
    if not isinstance(forecaster, Combination):
        return forecaster
    parents = [fit(discover()[name], **settings) for name in model.parents]
    return forecaster.combining([kept(parent, history, learned) for parent in parents])


def kept(fitted: Fitted, history: pd.DataFrame, learned: int) -> StoredModel:
    """A fit on the first `learned` rows, with what it says of the labelled rows after them as out-of-fold rows."""
    rows = np.arange(learned, len(history) - 1)
    asked = out_of_sample.asked_rows(history, fitted.predict(history), rows)
    shrinkage = out_of_sample.measure(asked, fitted.forecaster.target)
    published = out_of_sample.as_published(asked, shrinkage)
    manifest = Manifest(
        ticker="GARCH",
        model=fitted.forecaster.name,
        version=f"version-of-{fitted.forecaster.name}",
        kind="evaluated",
        seed=fitted.forecaster.seed,
        target=fitted.forecaster.target,
        settings=fitted.forecaster.settings(),
        libraries={},
        data_version=hash_rows(history.iloc[:learned]),
        code_version="",
        features_version=None,
        train_start=f"{history['session'].iloc[0]:%Y-%m-%d}",
        train_end=f"{history['session'].iloc[learned - 1]:%Y-%m-%d}",
        n_train=learned,
        splits={},
        shrinkage=shrinkage.to_json() if shrinkage else None,
        interval_quantiles={},
        parents={},
        fitted_at="2012-10-01T12:00:00+00:00",
        fit_seconds=0.0,
        files={},
    )
    return StoredModel(fitted, out_of_sample.score(published), manifest, published)
