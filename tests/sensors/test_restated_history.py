from collections.abc import Callable

import dagster as dg

from stock_assets.forecasting.models import discover
from stock_assets.sensors.restated_history import restated_history
from tests.assets.conftest import Desk
from tests.sensors.conftest import Ask


def _fetched(desk: Desk, restated: int) -> None:
    event = dg.AssetMaterialization("prices", partition="AAPL", metadata={"restated_sessions": restated})
    desk.instance.report_runless_asset_event(event)


def test_a_restated_history_marks_every_model_of_the_ticker_and_is_announced(
    ask: Ask, list_ticker: Callable[..., None], desk: Desk
) -> None:
    list_ticker("AAPL", "2024-03-04")
    start = ask(restated_history).cursor
    _fetched(desk, 250)
    result = ask(restated_history, cursor=start)
    marked = {mark.asset_key.path[-1] for mark in result.asset_events}
    assert marked == set(discover())
    assert {mark.partition for mark in result.asset_events} == {"AAPL"}
    [message] = desk.lake.read("announcements")["message"]
    assert message == ("AAPL: 250 sessions of its history were restated; its models were trained on the history before")


def test_an_ordinary_day_marks_nothing(ask: Ask, desk: Desk) -> None:
    start = ask(restated_history).cursor
    _fetched(desk, 0)
    result = ask(restated_history, cursor=start)
    assert result.asset_events == []
    assert result.skip_reason.skip_message == "1 updates since the last look, no restated history"
    assert desk.lake.read("announcements").empty
