"""The universe in the lake: one row a ticker; its source is fixed by its bars; nothing else is touched."""

from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from storage.errors import InvalidTicker, SourceIsFixed
from storage.lake import Lake
from storage.universe import add_ticker, remove_ticker

NOW = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


def _bars(ticker: str, source: str) -> pd.DataFrame:
    row = dict.fromkeys(("open", "high", "low", "close", "adj_close", "volume", "dividends", "stock_splits"), 1.0)
    times = dict.fromkeys(("fetched_at", "vintage"), pd.Timestamp("2013-03-02", tz="UTC"))
    return pd.DataFrame([row | times | {"ticker": ticker, "session": pd.Timestamp("2013-03-01"), "source": source}])


def test_a_ticker_is_added_once_and_removed_once(lake: Lake) -> None:
    assert add_ticker(lake, "AAPL", now=NOW) == "added"
    assert add_ticker(lake, "AAPL", now=datetime.now(UTC)) == "kept"
    [row] = lake.read("tickers").to_dict(orient="records")
    assert (row["ticker"], row["status"], row["updated_at"]) == ("AAPL", "added", NOW)
    assert pd.isna([row[name] for name in ("source", "stage", "reason", "cure", "run_id")]).all()
    assert remove_ticker(lake, "AAPL")
    assert not remove_ticker(lake, "AAPL")
    assert lake.read("tickers").empty


def test_a_source_may_change_until_there_are_bars_and_is_kept_by_them(lake: Lake) -> None:
    add_ticker(lake, "AAPL", "sample", now=NOW)
    assert add_ticker(lake, "AAPL", "yahoo", now=NOW) == "source changed"
    lake.append("raw_prices", _bars("AAPL", "yahoo"))
    with pytest.raises(SourceIsFixed, match=r"^the bars of AAPL in this home come from 'yahoo', not 'csv'"):
        add_ticker(lake, "AAPL", "csv", now=NOW)
    assert lake.read("tickers")["source"].tolist() == ["yahoo"]
    remove_ticker(lake, "AAPL")
    assert len(lake.read("raw_prices", ticker="AAPL")) == 1
    with pytest.raises(SourceIsFixed):
        add_ticker(lake, "AAPL", "csv", now=NOW)


@pytest.mark.parametrize("name", ["../x", "aapl", "A,B", ""])
def test_a_name_that_is_no_ticker_touches_nothing(lake: Lake, name: str) -> None:
    with pytest.raises(InvalidTicker):
        add_ticker(lake, name, now=NOW)
    with pytest.raises(InvalidTicker):
        remove_ticker(lake, name)
    assert not lake.root.exists()
