"""A calendar that is about to end is told of, once, while there is time to do something about it."""

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta

import pytest

from stock_assets.forecasting.sessions import last_known_session
from stock_assets.sensors.ending_calendars import ending_calendars
from tests.assets.conftest import Desk
from tests.sensors.conftest import Ask

LAST = last_known_session("XBOM")


def _before(days: int) -> datetime:
    return datetime.combine(LAST - timedelta(days=days), time(12), tzinfo=UTC)


def test_a_calendar_that_ends_within_a_month_is_announced_once_with_its_tickers_and_the_cure(
    ask: Ask, list_ticker: Callable[..., None], desk: Desk
) -> None:
    for ticker in ("RELIANCE.BO", "TCS.BO"):
        list_ticker(ticker, None, calendar="XBOM")
    list_ticker("AAPL", None)
    ask(ending_calendars, now=_before(32))
    assert desk.lake.read("announcements").empty
    for days in (31, 30, -1):
        ask(ending_calendars, now=_before(days))
    [told] = desk.lake.read("announcements").to_dict("records")
    assert (told["kind"], told["ticker"], told["announced_at"]) == ("calendar", None, _before(31))
    assert told["message"] == (
        f"the calendar XBOM is known to {LAST} only, and after that there is no forecast for RELIANCE.BO, TCS.BO "
        "— install a newer exchange_calendars: pip install -U exchange_calendars"
    )


def test_a_newer_end_is_told_again(
    ask: Ask, list_ticker: Callable[..., None], desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    list_ticker("TCS.BO", None, calendar="XBOM")
    ask(ending_calendars, now=_before(10))
    later = LAST + timedelta(days=365)
    monkeypatch.setattr("stock_assets.forecasting.sessions.last_known_session", lambda calendar: later)
    ask(ending_calendars, now=_before(5))
    assert len(desk.lake.read("announcements")) == 1
    ask(ending_calendars, now=_before(5 - 365))
    assert len(desk.lake.read("announcements")) == 2


def test_an_unknown_calendar_stops_no_look_at_the_others_and_a_long_list_is_cut(
    ask: Ask, list_ticker: Callable[..., None], desk: Desk, capfd: pytest.CaptureFixture[str]
) -> None:
    assert ask(ending_calendars, now=_before(1)).skip_message == "0 calendars, 0 of them told of now"
    list_ticker("ODD", None, calendar="AAAA")
    list_ticker("NEW", None, calendar=None)
    for number in range(23):
        list_ticker(f"T{number:02}.BO", None, calendar="XBOM", trained=False)
    assert ask(ending_calendars, now=_before(1)).skip_message == "2 calendars, 1 of them told of now"
    [message] = desk.lake.read("announcements")["message"]
    assert "T19.BO … and 3 more" in message
    assert "AAAA is not looked at: 'AAAA' is not an exchange calendar" in capfd.readouterr().err
