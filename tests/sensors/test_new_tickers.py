from collections.abc import Callable

from stock_assets.sensors.new_tickers import new_tickers
from tests.assets.conftest import Desk
from tests.sensors.conftest import Ask


def test_an_added_ticker_gets_a_partition_and_its_first_run_without_a_restart(
    ask: Ask, list_ticker: Callable[..., None], desk: Desk
) -> None:
    list_ticker("AAPL", None, status="added", trained=False)
    list_ticker("MSFT", "2024-03-04")
    result = ask(new_tickers)
    assert [request.partition_key for request in result.run_requests] == ["AAPL"]
    assert result.run_requests[0].run_key == ask(new_tickers).run_requests[0].run_key
    [partitions] = result.dynamic_partitions_requests
    assert partitions.partition_keys == ["AAPL", "MSFT"]
    desk.instance.add_dynamic_partitions("ticker", ["AAPL", "MSFT"])
    assert ask(new_tickers).dynamic_partitions_requests == []


def test_a_ticker_whose_first_run_failed_waits_for_a_person(ask: Ask, list_ticker: Callable[..., None]) -> None:
    list_ticker("NOPE", None, status="failed", trained=False)
    assert ask(new_tickers).run_requests == []
