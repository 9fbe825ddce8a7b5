"""The real yfinance client against a loopback server: each of Yahoo's habits gives right bars or the right error."""

import random
import socket
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import exchange_calendars
import numpy as np
import pandas as pd
import pytest

from stock_assets.sources import yahoo
from stock_assets.sources.base import BAR_COLUMNS, Bars
from stock_assets.sources.errors import (
    MalformedData,
    NoDataInRange,
    RateLimited,
    UnknownExchange,
    UnknownTicker,
    Unreachable,
)
from stock_assets.sources.yahoo import Backoff, YahooSource
from storage.errors import InvalidTicker
from tests.sources.known_bars import bars_known_on
from tests.sources.yahoo_server import (
    HTML,
    NOT_FOUND,
    SERVER_ERROR,
    TOO_MANY,
    Answer,
    as_json,
    chart,
    error,
    serving,
)

NEW_YEAR, YEAR_END = date(2023, 1, 1), date(2023, 12, 31)
LATER = datetime(2024, 1, 10, tzinfo=UTC)


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("yfinance")


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def ask(cache_dir: Path, waits: list[float]) -> Any:
    def ask(url: str, *, ticker: str = "AAPL", now: datetime = LATER, timeout: float = 5.0, **settings: Any) -> Bars:
        source = YahooSource(
            base_url=url,
            cache_dir=cache_dir,
            timeout=timeout,
            sleep=waits.append,
            rng=random.Random(1),  # noqa: S311  (jitter of waits that nobody sleeps)
            **{"backoff": Backoff(attempts=3, first_wait=2.0), **settings},
        )
        return source.fetch(ticker, NEW_YEAR, YEAR_END, now=now)

    return ask


def test_a_good_year_with_dividends_and_a_split(ask: Any, a_year: pd.DataFrame) -> None:
    with serving(chart(a_year)) as server:
        bars = ask(server.url)

    pd.testing.assert_frame_equal(bars.frame, a_year[list(BAR_COLUMNS)], rtol=1e-12)
    assert (bars.calendar, bars.currency, bars.dropped) == ("XNYS", "USD", {})
    assert bars.frame.loc[bars.frame["stock_splits"] > 0, "session"].tolist() == [pd.Timestamp("2023-06-15")]
    assert int((bars.frame["dividends"] > 0).sum()) == 4


def test_one_request_for_bars_asks_for_whole_days_and_nothing_leaves_this_machine(
    ask: Any, a_year: pd.DataFrame
) -> None:
    with serving(chart(a_year)) as server:
        ask(server.url)

    assert len(server.charts) == 1
    asked = server.charts[0]
    assert datetime.fromtimestamp(int(asked["period1"]), tz=UTC) <= datetime(2023, 1, 1, tzinfo=UTC)
    assert datetime.fromtimestamp(int(asked["period2"]), tz=UTC) >= datetime(2024, 1, 1, tzinfo=UTC)
    assert (asked["interval"], asked["symbol"]) == ("1d", "AAPL")
    assert "div" in asked["events"]
    assert "split" in asked["events"]


def test_asking_twice_asks_the_server_twice(ask: Any, a_year: pd.DataFrame) -> None:
    """The client keeps answers for ranges in the past, failed ones too, for as long as the process lives."""
    with serving(HTML, chart(a_year)) as server:
        with pytest.raises(MalformedData, match="no JSON"):
            ask(server.url)
        assert len(ask(server.url).frame) == len(a_year)


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


def test_connection_refused_is_unreachable(ask: Any, waits: list[float]) -> None:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]

    with pytest.raises(Unreachable, match=r"did not answer when asked for AAPL from 2023-01-01.*asked 3 times"):
        ask(f"http://127.0.0.1:{port}")
    assert len(waits) == 2


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


def test_nan_rows_of_completed_sessions_are_left_out_and_listed(ask: Any, a_year: pd.DataFrame) -> None:
    gaps = a_year.copy()
    gaps.loc[[10, 249], ["open", "high", "low", "close", "adj_close", "volume"]] = np.nan
    gaps.loc[20, "open"] = np.nan

    with serving(chart(gaps)) as server:
        bars = ask(server.url)

    assert len(bars.frame) == len(a_year) - 3
    assert bars.dropped == {
        date(2023, 1, 18): "Yahoo has no open for this session yet",
        date(2023, 2, 1): "Yahoo has no open for this session yet",
        date(2023, 12, 29): "Yahoo has no open for this session yet",
    }


@pytest.mark.parametrize(
    ("now", "complete"),
    [(datetime(2023, 12, 29, 20, 59, tzinfo=UTC), False), (datetime(2023, 12, 29, 21, 0, tzinfo=UTC), True)],
)
def test_the_partial_bar_of_an_open_session_is_left_out_and_listed(
    ask: Any, a_year: pd.DataFrame, now: datetime, complete: bool
) -> None:
    with serving(chart(a_year, last_trade=now)) as server:
        bars = ask(server.url, now=now)

    assert len(bars.frame) == len(a_year) - (not complete)
    expected = {} if complete else {date(2023, 12, 29): "the session closes at 21:00 UTC; this bar is partial"}
    assert bars.dropped == expected


def test_repeated_prices_on_a_holiday_are_left_out_and_listed(ask: Any, a_year: pd.DataFrame) -> None:
    holiday = a_year.loc[[0]].assign(session=pd.Timestamp("2023-07-04"), volume=0.0)

    with serving(chart(pd.concat([a_year, holiday]).sort_values("session", ignore_index=True))) as server:
        bars = ask(server.url)

    assert bars.dropped == {date(2023, 7, 4): "no session of XNYS, no volume"}
    assert len(bars.frame) == len(a_year)


@pytest.mark.parametrize(
    ("column", "value", "message"),
    [("low", 0.0, "low: 0 on 2023-01-10; expected a positive number"), ("high", 1.0, "high: 1 on 2023-01-10 is below")],
)
def test_a_bar_that_cannot_be_true_is_malformed(
    ask: Any, a_year: pd.DataFrame, column: str, value: float, message: str
) -> None:
    wrong = a_year.copy()
    wrong.loc[5, column] = value
    with serving(chart(wrong)) as server, pytest.raises(MalformedData, match=f"Yahoo's bars of AAPL, {message}"):
        ask(server.url)


def test_tokyo_dates_are_tokyo_dates(ask: Any, a_year: pd.DataFrame) -> None:
    with serving(chart(a_year.head(3), exchange="JPX", zone="Asia/Tokyo", currency="JPY")) as server:
        bars = ask(server.url, ticker="7203.T")

    # 2023-01-03 was a holiday in Tokyo; its bar has volume and stays for the check of prices to refuse.
    assert bars.frame["session"].tolist() == a_year["session"].head(3).tolist()
    assert (bars.calendar, bars.currency) == ("XTKS", "JPY")


def test_an_exchange_without_calendar_is_named_with_the_cure(ask: Any, a_year: pd.DataFrame) -> None:
    with (
        serving(chart(a_year, exchange="XYZ")) as server,
        pytest.raises(UnknownExchange, match=r"exchange 'XYZ'.*America/New_York.*--source csv"),
    ):
        ask(server.url)


def test_every_calendar_of_the_mapping_exists() -> None:
    known = set(exchange_calendars.get_calendar_names())

    assert set(yahoo._CALENDARS.values()) <= known


def test_a_hostile_ticker_is_refused_before_anything_is_asked(ask: Any) -> None:
    with serving(NOT_FOUND) as server:
        with pytest.raises(InvalidTicker, match="is not a ticker"):
            ask(server.url, ticker="../x")
        assert server.requests == []


def test_the_client_writes_into_the_chosen_folder_only(
    ask: Any, a_year: pd.DataFrame, cache_dir: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with serving(chart(a_year)) as server:
        ask(server.url)

    assert list(tmp_path.iterdir()) == []
    assert any(cache_dir.iterdir())


def test_the_default_folder_is_in_the_users_cache() -> None:
    assert yahoo._user_cache_dir().parts[-2:] == ("stock-assets", "yfinance")


def test_the_clients_own_settings_are_put_back(ask: Any, a_year: pd.DataFrame) -> None:
    import yfinance

    with serving(chart(a_year)) as server:
        ask(server.url)
    assert yfinance.config.debug.hide_exceptions is True


def test_waits_double_up_to_the_cap_and_vary_by_half() -> None:
    backoff = Backoff(attempts=9, first_wait=4.0, longest_wait=60.0)
    streams = [random.Random(seed) for seed in range(200)]  # noqa: S311  (jitter of waits that nobody sleeps)
    drawn = np.array([[backoff.wait(n, rng) for n in range(1, 8)] for rng in streams])

    ceilings = np.array([4, 8, 16, 32, 60, 60, 60])
    assert (drawn >= ceilings / 2).all()
    assert (drawn <= ceilings).all()
    assert (drawn.std(axis=0) > ceilings * 0.1).all()


def test_an_isin_is_no_ticker(ask: Any) -> None:
    with serving(NOT_FOUND) as server, pytest.raises(UnknownTicker, match="'US0378331006' is no symbol"):
        ask(server.url, ticker="US0378331006")


def test_a_price_of_after_the_range_is_no_bar_of_it(ask: Any) -> None:
    """Yahoo appends the latest price even where the range ended long ago."""
    latest = bars_known_on(date(2023, 1, 3)).assign(session=pd.Timestamp("2024-01-08"))
    with serving(chart(latest)) as server, pytest.raises(NoDataInRange, match="it has none at all"):
        ask(server.url)


def test_yahoo_follows_the_market() -> None:
    assert YahooSource().last_session("AAPL") is None
