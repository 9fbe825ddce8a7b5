"""A worker's first unit loads what its models need: nothing of it fails in silence."""

import dagster as dg
import numpy as np
import pytest

from stock_assets.forecasting.models import discover
from stock_assets.forecasting.warming import WarmingUnit, made_up_history
from stock_assets.workers import _models


@pytest.mark.parametrize("name", sorted(discover()))
def test_every_model_can_be_fitted_on_made_up_bars(name):
    history = made_up_history()
    predicted = discover()[name].fast(seed=0).fit(history).predict(history)
    assert np.isfinite(predicted[-1])


def test_a_model_that_cannot_be_fitted_is_none_of_its_business():
    WarmingUnit(("no_such_model", "random_walk")).perform()


def test_only_the_models_of_a_run_are_loaded():
    assert _models(None) == tuple(discover())
    selection = [dg.AssetKey("prices"), dg.AssetKey(["model", "sarima"]), dg.AssetKey(["predictions", "sarima"])]
    assert _models(selection) == ("sarima",)
