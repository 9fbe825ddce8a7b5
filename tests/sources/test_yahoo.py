"""The real yfinance client against a loopback server: each of Yahoo's habits gives right bars or the right error."""

from datetime import UTC, date, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import exchange_calendars
import numpy as np
import pandas as pd
import pytest

from stock_assets.sources import yahoo
from stock_assets.sources.base import (
    BAR_COLUMNS,
    MalformedData,
)
from stock_assets.sources.yahoo import YahooSource
from tests.sources.yahoo_server import (
    HTML,
    chart,
    serving,
)

NEW_YEAR, YEAR_END = date(2023, 1, 1), date(2023, 12, 31)
LATER = datetime(2024, 1, 10, tzinfo=UTC)


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
    [
        (datetime(2023, 12, 29, 20, 59, tzinfo=UTC), False),
        (datetime(2023, 12, 29, 21, 0, tzinfo=UTC), False),
        (datetime(2023, 12, 29, 21, 19, 59, tzinfo=UTC), False),
        (datetime(2023, 12, 29, 21, 20, tzinfo=UTC), True),
    ],
)
def test_a_bar_is_partial_until_twenty_minutes_after_the_close(
    ask: Any, a_year: pd.DataFrame, now: datetime, complete: bool
) -> None:
    """Yahoo's quotes come some 15 minutes late: at the close its bar is not yet the day's."""
    with serving(chart(a_year, last_trade=now)) as server:
        bars = ask(server.url, now=now)

    assert len(bars.frame) == len(a_year) - (not complete)
    expected = (
        {} if complete else {date(2023, 12, 29): "the session closes at 21:00 UTC; its bar is partial until 21:20"}
    )
    assert bars.dropped == expected


@pytest.mark.parametrize("volume", [0.0, 1e6], ids=["no volume", "with volume"])
def test_bars_on_a_holiday_are_left_out_and_listed(ask: Any, a_year: pd.DataFrame, volume: float) -> None:
    holiday = a_year.loc[[0]].assign(session=pd.Timestamp("2023-07-04"), volume=volume)

    with serving(chart(pd.concat([a_year, holiday]).sort_values("session", ignore_index=True))) as server:
        bars = ask(server.url)

    assert bars.dropped == {date(2023, 7, 4): "no session of XNYS"}
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

    # 2023-01-03 was a holiday in Tokyo.
    assert bars.frame["session"].tolist() == a_year["session"].iloc[1:3].tolist()
    assert bars.dropped == {date(2023, 1, 3): "no session of XTKS"}
    assert (bars.calendar, bars.currency) == ("XTKS", "JPY")


def test_every_calendar_of_the_mapping_exists() -> None:
    known = set(exchange_calendars.get_calendar_names())

    assert set(yahoo._CALENDARS.values()) <= known


def _fetch(url: str, folder: Path) -> None:
    source = YahooSource(base_url=url, cache_dir=folder)
    source.fetch("AAPL", date(2023, 1, 1), date(2023, 12, 31), now=LATER)


def test_the_client_writes_into_the_chosen_folder_only(
    a_year: pd.DataFrame, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    home, chosen = tmp_path / "home", tmp_path / "chosen"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CACHE_HOME", str(home))
    # In a process of its own: yfinance keeps the first folder that it is given.
    with serving(chart(a_year)) as server, get_context("spawn").Pool(1) as pool:
        pool.apply(_fetch, (server.url, chosen))

    assert list(home.iterdir()) == []
    assert any(chosen.iterdir())


def test_the_default_folder_is_in_the_users_cache() -> None:
    assert yahoo._user_cache_dir().parts[-2:] == ("stock-assets", "yfinance")


def test_the_clients_own_settings_are_put_back(ask: Any, a_year: pd.DataFrame) -> None:
    import yfinance

    with serving(chart(a_year)) as server:
        ask(server.url)
    assert yfinance.config.debug.hide_exceptions is True


def test_yahoo_follows_the_market() -> None:
    assert YahooSource().last_session("AAPL") is None
