"""Ensembles in the lineage: their parents are visible there, and a missing one is named."""

import dagster as dg
import pytest

from stock_assets.definitions import defs
from stock_assets.forecasting.models import discover

ENSEMBLES = {name: model for name, model in discover().items() if model.parents}


@pytest.mark.parametrize("kind", ["model", "backtest"])
@pytest.mark.parametrize("name", ENSEMBLES)
def test_the_parents_of_an_ensemble_are_its_parents_in_the_lineage(name, kind):
    graph = defs.resolve_asset_graph()
    above = {key.path[1] for key in graph.get(dg.AssetKey([kind, name])).parent_keys if key.path[0] == kind}
    assert above == set(ENSEMBLES[name].parents)


@pytest.mark.slow
def test_an_ensemble_without_its_parents_fails_with_the_cure_and_nothing_else_does(desk):
    reason = desk.run("AAPL", models=("random_walk", "ensemble_equal")).reason
    assert "ensemble_equal combines sarima, whose evaluated fit cannot be used: no sarima has been trained" in reason
    assert "stock-assets train --models sarima,random_forest,xgboost,lstm_keras,lstm_pytorch,ensemble_equal" in reason
    assert "AAPL" in desk.partitions("predictions/random_walk")
    assert "AAPL" not in desk.partitions("model/ensemble_equal")
