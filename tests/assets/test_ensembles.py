"""Ensembles in the lineage: their members are visible there, and an ensemble without them is absent, with the cure."""

import dagster as dg
import pytest

from stock_assets.definitions import defs
from stock_assets.forecasting.ensembles import discover_ensembles, member_names
from tests.assets.conftest import Desk


@pytest.mark.parametrize("kind", ["model", "predictions", "backtest"])
@pytest.mark.parametrize("name", discover_ensembles())
def test_the_members_of_an_ensemble_are_its_parents_in_the_lineage(name: str, kind: str) -> None:
    graph = defs.resolve_asset_graph()
    above = {key.path[1] for key in graph.get(dg.AssetKey([kind, name])).parent_keys if key.path[0] == kind}
    assert above - {name} == set(member_names())


@pytest.mark.slow
def test_an_ensemble_without_members_is_absent_with_the_cure_and_everything_else_is_made(own_desk: Desk) -> None:
    assert own_desk.run("AAPL", models=("random_walk", "ensemble_equal")).failed == {}
    complete = own_desk.checks("model/ensemble_equal")["complete"]
    assert (complete.passed, complete.severity) == (False, dg.AssetCheckSeverity.WARN)
    said = str(complete.description)
    assert said.startswith("AAPL: model/ensemble_equal: ")
    assert "stock-assets train" in said
    assert own_desk.made("model/ensemble_equal") == set()
    assert own_desk.made("predictions/random_walk") == own_desk.made("forecasts") == {"AAPL"}
    assert own_desk.statuses() == {"AAPL": "ok"}
    assert set(own_desk.lake.read("forecasts")["model"]) == {"random_walk", "xgboost"}, "what there was stays"
