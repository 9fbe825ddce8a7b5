"""The real yfinance client against a loopback server that refuses, fails or answers with something else."""

import logging
import random
import socket
from datetime import date
from typing import Any

import numpy as np
import pandas as pd
import pytest
from curl_cffi.const import CurlECode
from curl_cffi.requests.exceptions import RequestException

from stock_assets.sources._yahoo_http import Question, no_answer
from stock_assets.sources.base import (
    MalformedData,
    NoConnection,
    NoDataInRange,
    RateLimited,
    UnknownExchange,
    UnknownTicker,
    Unreachable,
)
from stock_assets.sources.yahoo import Backoff
from storage.errors import InvalidTicker
from tests.sources.known_bars import bars_known_on
from tests.sources.yahoo_server import HTML, NOT_FOUND, SERVER_ERROR, TOO_MANY, Answer, as_json, chart, error, serving


def test_429_then_success_waits_and_goes_on(ask: Any, a_year: pd.DataFrame, waits: list[float]) -> None:
    # The client itself asks a second time, with another cookie, before it gives up: four refusals are two attempts.
    with serving(TOO_MANY, TOO_MANY, TOO_MANY, TOO_MANY, chart(a_year)) as server:
        bars = ask(server.url)

    assert len(bars.frame) == len(a_year)
    assert len(waits) == 2
    assert 1.0 <= waits[0] <= 2.0
    assert 2.0 <= waits[1] <= 4.0


def test_429_for_ever_is_rate_limited_after_the_last_attempt(ask: Any, waits: list[float]) -> None:
    with serving(TOO_MANY) as server, pytest.raises(RateLimited, match=r"'?AAPL.*HTTP 429.*asked 3 times over \d+ s"):
        ask(server.url)
    assert len(waits) == 2


def test_a_refused_connection_is_tried_once_more_and_told_in_one_line(
    ask: Any, waits: list[float], caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    with pytest.raises(
        NoConnection, match=r"did not answer when asked for AAPL from 2023-01-01.*asked 2 times"
    ) as caught:
        ask(f"http://127.0.0.1:{port}", backoff=Backoff())
    assert waits == [1.0]
    assert "See http" not in str(caught.value)
    assert "--source sample" in caught.value.cure
    # One line for the second try, and nothing of the client's own.
    assert [record.name for record in caplog.records if record.levelno >= logging.INFO] == [
        "stock_assets.sources.yahoo"
    ]
    assert logging.getLogger("yfinance").disabled is False


@pytest.mark.parametrize(
    ("failure", "kind"),
    [
        (RequestException("Could not resolve host: x. See https://curl.se/…", CurlECode.COULDNT_RESOLVE_HOST), True),
        (RequestException("Could not resolve proxy: x", CurlECode.COULDNT_RESOLVE_PROXY), True),
        (ConnectionRefusedError(111, "Connection refused"), True),
        (RequestException("Operation timed out", CurlECode.OPERATION_TIMEDOUT), False),
        (OSError("cut off"), False),
    ],
    ids=["host", "proxy", "refused", "timeout", "other"],
)
def test_only_what_waiting_cannot_cure_is_no_connection(failure: OSError, kind: bool) -> None:
    error = no_answer(failure, Question("AAPL", date(2023, 1, 1), date(2023, 12, 31)))

    assert isinstance(error, NoConnection) == kind
    assert "See http" not in error.problem


def test_a_slow_answer_is_unreachable(ask: Any, a_year: pd.DataFrame) -> None:
    slow = Answer(200, chart(a_year).body, delay_s=1.0)
    with serving(slow) as server, pytest.raises(Unreachable, match=r"did not answer .*timed out"):
        ask(server.url, timeout=0.3, backoff=Backoff(attempts=1))


def test_a_connection_cut_in_the_middle_is_unreachable(ask: Any, a_year: pd.DataFrame) -> None:
    cut = Answer(200, chart(a_year).body[:500], cut=True)
    with serving(cut) as server, pytest.raises(Unreachable, match="did not answer"):
        ask(server.url, backoff=Backoff(attempts=1))


def test_server_error_is_unreachable_and_tried_again(ask: Any, a_year: pd.DataFrame, waits: list[float]) -> None:
    with serving(SERVER_ERROR, SERVER_ERROR, chart(a_year)) as server:
        assert len(ask(server.url).frame) == len(a_year)
    assert len(waits) == 1
    with serving(SERVER_ERROR) as server, pytest.raises(Unreachable, match="answered HTTP 500"):
        ask(server.url)


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (HTML, "sent text/html that is no JSON"),
        (Answer(200, b'{"chart": {"result": [{"meta": {"curr'), "that is no JSON"),
        (as_json([1, 2]), "sent JSON without chart"),
        (as_json({"chart": None}), "sent JSON without chart"),
        (as_json({"chart": {"result": [], "error": None}}), "an answer without result"),
        (as_json({"chart": {"result": [{"timestamp": [1]}], "error": None}}), "a result without meta"),
        (as_json({"chart": {"result": [{"meta": {}, "timestamp": [1]}], "error": None}}), "yfinance cannot read"),
        (error("Bad Request", "invalid interval", 400), "the error Bad Request: invalid interval"),
        (as_json({"chart": {"result": None, "error": "odd"}}), "the error : odd"),
    ],
    ids=["html", "truncated", "list", "no chart", "no result", "no meta", "no quotes", "other error", "text error"],
)
def test_something_that_is_not_bars_is_malformed_at_once(
    ask: Any, waits: list[float], answer: Answer, message: str
) -> None:
    with serving(answer) as server, pytest.raises(MalformedData, match=message):
        ask(server.url)
    assert waits == []


def test_an_unknown_ticker_is_unknown_not_delisted(ask: Any) -> None:
    with serving(NOT_FOUND) as server, pytest.raises(UnknownTicker, match="does not know 'NOPE'"):
        ask(server.url, ticker="NOPE")


@pytest.mark.parametrize(
    "answer",
    [
        error("Bad Request", "Data doesn't exist for startDate = 1672531200, endDate = 1704067200", 400),
        chart(bars_known_on(date(2023, 1, 3)).head(0)),
    ],
    ids=["refusal", "meta only"],
)
def test_a_known_ticker_without_bars_in_the_range_says_so(ask: Any, answer: Answer) -> None:
    with (
        serving(answer) as server,
        pytest.raises(NoDataInRange, match="no bar of AAPL from 2023-01-01 to 2023-12-31"),
    ):
        ask(server.url)


def test_bars_before_the_range_only_are_no_data(ask: Any) -> None:
    early = bars_known_on(date(2023, 1, 5)).assign(session=pd.to_datetime(["2022-12-28", "2022-12-29", "2022-12-30"]))
    with serving(chart(early)) as server, pytest.raises(NoDataInRange, match="its bars are from 2022-12-28"):
        ask(server.url)


def test_an_exchange_without_calendar_is_named_with_the_cure(ask: Any, a_year: pd.DataFrame) -> None:
    with (
        serving(chart(a_year, exchange="XYZ")) as server,
        pytest.raises(UnknownExchange, match=r"exchange 'XYZ'.*America/New_York.*--source csv"),
    ):
        ask(server.url)


def test_a_hostile_ticker_is_refused_before_anything_is_asked(ask: Any) -> None:
    with serving(NOT_FOUND) as server:
        with pytest.raises(InvalidTicker, match="is not a ticker"):
            ask(server.url, ticker="../x")
        assert server.requests == []


def test_an_isin_is_no_ticker(ask: Any) -> None:
    with serving(NOT_FOUND) as server, pytest.raises(UnknownTicker, match="'US0378331006' is no symbol"):
        ask(server.url, ticker="US0378331006")


def test_a_price_of_after_the_range_is_no_bar_of_it(ask: Any) -> None:
    """Yahoo appends the latest price even where the range ended long ago."""
    latest = bars_known_on(date(2023, 1, 3)).assign(session=pd.Timestamp("2024-01-08"))
    with (
        serving(chart(latest)) as server,
        pytest.raises(NoDataInRange, match="it has none at all"),
    ):
        ask(server.url)


def test_waits_double_up_to_the_cap_and_vary_by_half() -> None:
    backoff = Backoff(attempts=9, first_wait=4.0, longest_wait=60.0)
    streams = [random.Random(seed) for seed in range(200)]  # noqa: S311  (jitter of waits that nobody sleeps)
    drawn = np.array([[backoff.wait(n, rng) for n in range(1, 8)] for rng in streams])

    ceilings = np.array([4, 8, 16, 32, 60, 60, 60])
    assert (drawn >= ceilings / 2).all()
    assert (drawn <= ceilings).all()
    assert (drawn.std(axis=0) > ceilings * 0.1).all()
