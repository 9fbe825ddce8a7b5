from collections.abc import Callable
from datetime import UTC, datetime

import dagster as dg

from stock_assets.sensors.monthly_review import monthly_review
from tests.assets.conftest import Desk
from tests.sensors.conftest import Ask
from tests.storage.frames import rows


def test_each_trained_ticker_is_reviewed_once_a_month(ask: Ask, list_ticker: Callable[..., None], desk: Desk) -> None:
    list_ticker("AAPL", "2024-03-04")
    list_ticker("NEW", "2024-03-04", trained=False)
    [request] = ask(monthly_review).run_requests
    assert (request.run_key, request.partition_key) == ("review:AAPL:2024-03", "AAPL")
    desk.lake.append("champion", rows("champion", 1, review="2024-03"))
    assert isinstance(ask(monthly_review), dg.SkipReason)
    list_ticker("AAPL", "2024-04-01")
    april = datetime(2024, 4, 2, 14, tzinfo=UTC)
    assert [request.run_key for request in ask(monthly_review, now=april).run_requests] == ["review:AAPL:2024-04"]


def test_bars_that_ended_long_ago_are_not_reviewed(ask: Ask, list_ticker: Callable[..., None]) -> None:
    list_ticker("AAPL", "2013-03-01")
    assert ask(monthly_review).skip_message == "every champion has been reviewed this month"
