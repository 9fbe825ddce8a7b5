from collections.abc import Callable

from stock_assets.forecasting.ensembles import model_names
from stock_assets.sensors.restated_history import restated_history
from tests.assets.conftest import Desk
from tests.sensors.conftest import Ask, tell_made


def test_restated_histories_mark_every_model_once_and_are_announced_ticker_by_ticker(
    ask: Ask, list_ticker: Callable[..., None], desk: Desk
) -> None:
    list_ticker("AAPL", "2024-03-04")
    start = ask(restated_history).cursor
    tell_made(desk, "prices", "AAPL", "IBM", "MSFT", restated_sessions={"AAPL": 250, "IBM": 3})
    result = ask(restated_history, cursor=start)
    assert sorted(mark.asset_key.path[-1] for mark in result.asset_events) == sorted(model_names())
    assert {mark.partition for mark in result.asset_events} == {"XNYS"}
    told = desk.lake.read("announcements").sort_values("ticker")
    assert told["ticker"].tolist() == ["AAPL", "IBM"]
    assert told["message"].iloc[0] == (
        "AAPL: 250 sessions of its history were restated; its models were trained on the history before"
    )
    for mark in result.asset_events:
        assert mark.metadata["restated_sessions"].value == {"AAPL": 250, "IBM": 3}
        assert mark.description == "\n".join(told["message"])
    ask(restated_history, cursor=start)  # a tick that is repeated
    assert len(desk.lake.read("announcements")) == 2


def test_an_ordinary_day_marks_nothing(ask: Ask, desk: Desk) -> None:
    start = ask(restated_history).cursor
    tell_made(desk, "prices", "AAPL")  # of nothing restated no mark is made
    result = ask(restated_history, cursor=start)
    assert result.asset_events == []
    assert result.skip_reason.skip_message == "1 updates since the last look, no restated history"
    assert desk.lake.read("announcements").empty
