from datetime import UTC, date, datetime

import numpy as np
import pandas as pd
import pytest
from bokeh_sampledata import stocks

from stock_assets.forecasting.sessions import sessions_between
from stock_assets.sources import BAR_COLUMNS, Bars, open_source
from stock_assets.sources.base import NoDataInRange, UnknownTicker
from stock_assets.sources.sample import FIRST_SESSION, LAST_SESSION, TICKERS

NOW = datetime(2026, 1, 2, tzinfo=UTC)


def fetch(ticker: str, start: date = FIRST_SESSION, end: date = LAST_SESSION) -> Bars:
    return open_source("sample").fetch(ticker, start, end, now=NOW)


@pytest.mark.parametrize("ticker", TICKERS)
def test_every_session_of_the_exchange_has_exactly_one_bar(ticker: str) -> None:
    frame = fetch(ticker).frame

    first = frame["session"].iloc[0].date()
    assert list(frame["session"]) == list(sessions_between("XNYS", first, LAST_SESSION))
    assert tuple(frame.columns) == BAR_COLUMNS
    assert set(frame.dtypes.astype(str)) == {"datetime64[ns]", "float64"}


@pytest.mark.parametrize("ticker", TICKERS)
def test_no_split_is_left_in_the_close(ticker: str) -> None:
    """adj_close comes adjusted from the publisher: its returns differ from ours on dividend dates only, and upwards."""
    frame = fetch(ticker).frame

    difference = np.log(frame["adj_close"]).diff() - np.log(frame["close"]).diff()
    differing = difference[difference.abs() > 1e-9]
    assert (differing > 0).all()  # a dividend raises the adjusted return
    assert (differing < 0.11).all()  # the largest is Microsoft's special dividend of November 2004
    assert len(differing) == {"AAPL": 3, "FB": 0, "GOOG": 0, "IBM": 52, "MSFT": 37}[ticker]


@pytest.mark.parametrize(
    ("ticker", "day", "ratio"), [("AAPL", "2000-06-21", 2), ("AAPL", "2005-02-28", 2), ("MSFT", "2003-02-18", 2)]
)
def test_recorded_splits_are_reported_on_their_day(ticker: str, day: str, ratio: float) -> None:
    frame = fetch(ticker).frame.set_index("session")

    assert frame.loc[day, "stock_splits"] == ratio
    assert np.isnan(frame["dividends"]).all()


def test_prices_before_both_splits_of_apple_are_a_quarter_and_volume_is_fourfold() -> None:
    frame = fetch("AAPL").frame
    traded = pd.DataFrame(stocks.AAPL)

    for column in ("open", "high", "low", "close"):
        assert frame[column].iloc[0] == traded[column].iloc[0] / 4
        assert frame[column].iloc[-1] == traded[column].iloc[-1]
    assert frame["volume"].iloc[0] == traded["volume"].iloc[0] * 4
    assert frame["volume"].iloc[-1] == traded["volume"].iloc[-1]
    assert frame["stock_splits"].value_counts().to_dict() == {0.0: len(frame) - 2, 2.0: 2}


def test_apple_keeps_its_true_fall_of_half_in_a_day() -> None:
    close = fetch("AAPL", date(2000, 9, 28), date(2000, 9, 29)).frame["close"]

    assert close.iloc[1] / close.iloc[0] - 1 == pytest.approx(-0.519, abs=0.001)


def test_range_is_inclusive_on_both_sides() -> None:
    bars = fetch("IBM", date(2012, 1, 3), date(2012, 1, 6))

    assert [f"{day:%d}" for day in bars.frame["session"]] == ["03", "04", "05", "06"]
    assert (bars.calendar, bars.currency, bars.dropped) == ("XNYS", "USD", {})


def test_unknown_ticker_names_the_five_there_are() -> None:
    with pytest.raises(UnknownTicker, match="'TSLA'; expected one of AAPL, FB, GOOG, IBM, MSFT"):
        fetch("TSLA")


def test_range_after_the_data_names_what_there_is() -> None:
    with pytest.raises(
        NoDataInRange, match="from 2020-01-01 to 2020-12-31; its bars are from 2000-03-01 to 2013-03-01"
    ):
        fetch("AAPL", date(2020, 1, 1), date(2020, 12, 31))


def test_last_session_is_where_the_data_ends() -> None:
    assert open_source("sample").last_session("AAPL") == fetch("AAPL").frame["session"].iloc[-1].date()
