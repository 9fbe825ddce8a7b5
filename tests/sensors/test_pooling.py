from datetime import UTC, datetime, timedelta

import dagster as dg

from stock_assets.definitions import defs
from stock_assets.sensors.pooling import pooling
from tests.assets.conftest import Desk, desk

__all__ = ["desk"]

START = datetime(2024, 3, 5, 22, 10, tzinfo=UTC)


class Conditions:
    """Evaluates the declared conditions at times of the test's choosing, each time from where it left off."""

    def __init__(self, desk: Desk) -> None:
        self._instance = desk.instance
        self._cursor: dg.AssetDaemonCursor | None = None

    def evaluate(self, minutes: int) -> int:
        """How many runs were asked for."""
        result = dg.evaluate_automation_conditions(
            defs=defs,
            instance=self._instance,
            asset_selection=dg.AssetSelection.assets("pooled_evaluation"),
            evaluation_time=START + timedelta(minutes=minutes),
            cursor=self._cursor,
        )
        self._cursor = result.cursor
        return result.total_requested


def _evaluated(desk: Desk, ticker: str) -> None:
    desk.instance.add_dynamic_partitions("ticker", [ticker])
    desk.instance.report_runless_asset_event(dg.AssetMaterialization("evaluation", partition=ticker))


def test_tickers_are_pooled_once_an_hour_and_only_after_one_was_evaluated(desk: Desk) -> None:
    conditions = Conditions(desk)
    assert conditions.evaluate(0) == 0
    assert conditions.evaluate(60) == 0, "an hour has passed, and nothing was evaluated"
    _evaluated(desk, "AAPL")
    assert conditions.evaluate(61) == 1
    _evaluated(desk, "MSFT")
    assert conditions.evaluate(62) == 0, "pooled a minute ago"
    assert conditions.evaluate(120) == 1
    assert conditions.evaluate(180) == 0


def test_the_condition_is_carried_out_by_default_and_models_have_none() -> None:
    assert pooling.default_status == dg.DefaultSensorStatus.RUNNING
    graph = defs.resolve_asset_graph()
    declared = {key.to_user_string() for key in graph.get_all_asset_keys() if graph.get(key).automation_condition}
    assert declared == {"pooled_evaluation"}
