from collections.abc import Callable

from stock_assets.sensors.new_tickers import new_tickers
from tests.assets.conftest import Desk
from tests.sensors.conftest import Ask, begin_run, readable, tickers_of


def test_added_tickers_get_their_market_and_their_first_run_without_a_restart(
    ask: Ask, list_ticker: Callable[..., None], desk: Desk
) -> None:
    for ticker in ("IBM", "AAPL", "7203.T"):  # nobody has fetched them: the symbol alone tells the market
        list_ticker(ticker, None, status="added", trained=False, calendar=None)
    list_ticker("MSFT", "2024-03-04")
    result = ask(new_tickers)
    asked = {request.partition_key: request for request in result.run_requests}
    assert {market: tickers_of(request) for market, request in asked.items()} == {
        "XNYS": ["AAPL", "IBM"],
        "XTKS": ["7203.T"],
    }
    assert readable(asked["XNYS"]) == "new:XNYS"
    assert {request.job_name for request in result.run_requests} == {"lineage"}
    again = ask(new_tickers).run_requests
    assert [request.run_key for request in again] == [request.run_key for request in result.run_requests]
    [partitions] = result.dynamic_partitions_requests
    assert partitions.partition_keys == ["XNYS", "XTKS"]
    desk.instance.add_dynamic_partitions("market", ["XNYS", "XTKS"])
    assert ask(new_tickers).dynamic_partitions_requests == []


def test_a_ticker_that_is_added_while_others_are_at_work_is_asked_for_alone(
    ask: Ask, list_ticker: Callable[..., None], desk: Desk
) -> None:
    list_ticker("AAPL", None, status="added", trained=False)
    [first] = ask(new_tickers).run_requests
    begin_run(desk, "lineage", "AAPL")
    assert ask(new_tickers).run_requests == []
    list_ticker("IBM", None, status="added", trained=False)
    [second] = ask(new_tickers).run_requests
    assert tickers_of(second) == ["IBM"]
    assert second.run_key != first.run_key


def test_a_ticker_whose_first_run_failed_waits_for_a_person(ask: Ask, list_ticker: Callable[..., None]) -> None:
    list_ticker("NOPE", None, status="failed", trained=False)
    assert ask(new_tickers).skip_message == "none of 1 tickers is new"
