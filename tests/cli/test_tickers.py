"""The universe: names are checked at the door, a ticker keeps its source, removing loses no data."""

from pathlib import Path

import pandas as pd
import pytest

from storage.lake import Lake
from storage.sql import run_select
from tests.cli.conftest import Say


def _universe(home: Path) -> dict[str, str | None]:
    frame = run_select("SELECT ticker, source FROM tickers ORDER BY ticker", home)
    return dict(zip(frame["ticker"], frame["source"].where(frame["source"].notna(), None), strict=True))


def _bars(ticker: str, source: str) -> pd.DataFrame:
    row = dict.fromkeys(("open", "high", "low", "close", "adj_close", "volume", "dividends", "stock_splits"), 1.0)
    times = dict.fromkeys(("fetched_at", "vintage"), pd.Timestamp("2013-03-02", tz="UTC"))
    return pd.DataFrame([row | times | {"ticker": ticker, "session": pd.Timestamp("2013-03-01"), "source": source}])


def test_added_tickers_are_published_and_listed(home: Path, say: Say) -> None:
    said = say("tickers", "add", "brk-b", "^GSPC", "BF.B", "BRK-B")
    assert said.code == 0
    assert said.err.count("BRK-B: added") == 1
    assert _universe(home) == {"BF.B": None, "BRK-B": None, "^GSPC": None}
    assert [line.split()[:2] for line in say("tickers", "list").out.splitlines()[1:]] == [
        ["BF.B", "added"],
        ["BRK-B", "added"],
        ["^GSPC", "added"],
    ]


def test_dagster_has_a_partition_for_each_market_of_the_universe(home: Path, say: Say) -> None:
    from stock_assets.instance import open_instance
    from stock_assets.settings import load_settings

    say("tickers", "add", "AAPL", "IBM", "BTC-USD")
    with open_instance(load_settings()) as instance:
        assert set(instance.get_dynamic_partitions("market")) == {"XNYS", "24/7"}


def test_the_list_says_where_a_ticker_failed_why_and_what_to_do(home: Path, say: Say) -> None:
    from stock_assets import health

    say("tickers", "add", "AAPL", "IBM")
    failure = health.Failure("prices", "2 closes are zero", "correct the file")
    health.failed(Lake(home / "lake"), "IBM", failure, "a run")
    say("publish")
    said = say("tickers", "list").out
    assert [line.split()[:2] for line in said.splitlines()[1:] if line[0] != " "] == [
        ["AAPL", "added"],
        ["IBM", "failed"],
    ]
    for word in ("stage", "cure", "prices", "2 closes are zero", "correct the file"):
        assert word in " ".join(said.split()), word


def test_a_removed_ticker_is_gone_from_the_universe_and_its_bars_stay(home: Path, say: Say) -> None:
    say("tickers", "add", "AAPL", "IBM")
    Lake(home / "lake").append("raw_prices", _bars("IBM", "csv"))
    said = say("tickers", "remove", "IBM")
    assert said.code == 0
    assert "IBM: removed from the universe; its bars, models and forecasts stay" in said.err
    assert _universe(home) == {"AAPL": None}
    assert len(Lake(home / "lake").read("raw_prices", ticker="IBM")) == 1


def test_removing_an_unknown_ticker_names_the_known_ones_and_removes_nothing(home: Path, say: Say) -> None:
    assert "there is nothing to remove" in say("tickers", "remove", "IBM").err
    say("tickers", "add", "AAPL")
    said = say("tickers", "remove", "AAPL", "IBM")
    assert said.code == 1
    assert "choose among AAPL" in said.err
    assert _universe(home) == {"AAPL": None}


@pytest.mark.parametrize("name", ["../x", "a'b", "con", "A,B", "CON", "", "A...B", "ß", "A B"])
def test_a_hostile_name_is_refused_and_nothing_is_written(name: str, home: Path, say: Say) -> None:
    said = say("tickers", "add", "AAPL", name)
    assert said.code == 1
    assert f"{name!r} is not a ticker" in said.err  # as typed
    assert not home.exists()


def test_adding_twice_says_so_and_changes_nothing(home: Path, say: Say) -> None:
    say("tickers", "add", "AAPL", "--source", "sample")
    assert "AAPL: there already, status added" in say("tickers", "add", "AAPL").err
    assert _universe(home) == {"AAPL": "sample"}


def test_a_source_may_change_until_there_are_bars(home: Path, say: Say) -> None:
    say("tickers", "add", "AAPL", "--source", "sample")
    assert "AAPL: source sample → yahoo" in say("tickers", "add", "AAPL", "--source", "yahoo").err
    assert _universe(home) == {"AAPL": "yahoo"}
    Lake(home / "lake").append("raw_prices", _bars("AAPL", "yahoo"))
    said = say("tickers", "add", "AAPL", "--source", "sample")
    assert said.code == 1
    assert "come from 'yahoo', not 'sample'" in said.err
    assert "STOCK_ASSETS_HOME=<another folder>" in said.err
    assert _universe(home) == {"AAPL": "yahoo"}


def test_a_source_given_later_is_said(say: Say) -> None:
    say("tickers", "add", "AAPL")
    assert "AAPL: source undecided → sample" in say("tickers", "add", "AAPL", "--source", "sample").err


def test_removing_a_ticker_does_not_free_it_from_its_source(home: Path, say: Say) -> None:
    say("tickers", "add", "AAPL", "--source", "yahoo")
    Lake(home / "lake").append("raw_prices", _bars("AAPL", "yahoo"))
    say("tickers", "remove", "AAPL")
    said = say("tickers", "add", "AAPL", "--source", "sample")
    assert said.code == 1
    assert "come from 'yahoo', not 'sample'" in said.err
    assert "To begin anew, use another home" in " ".join(say("tickers", "remove", "--help").out.split())


def test_a_source_at_hand_is_asked_whether_it_knows_the_ticker(home: Path, say: Say) -> None:
    said = say("tickers", "add", "BRK-B", "--source", "sample")
    assert said.code == 1
    assert "BRK-B" in said.err
    assert not home.exists()


def test_an_unknown_source_is_refused(home: Path, say: Say) -> None:
    said = say("tickers", "add", "AAPL", "--source", "bloomberg")
    assert said.code == 1
    assert "'bloomberg' is not a price source" in said.err


def test_a_folder_needs_its_source_and_its_files(home: Path, say: Say, tmp_path: Path) -> None:
    usage = say("tickers", "add", "AAPL", "--csv-dir", str(tmp_path))
    assert usage.code == 2
    assert usage.err.endswith("see `stock-assets tickers add --help`\n")
    said = say("tickers", "add", "AAPL", "--source", "csv", "--csv-dir", str(tmp_path))
    assert said.code == 1
    assert "has no AAPL.csv" in said.err
    line = "2013-03-01,1,2,1,2,2,100"
    (tmp_path / "AAPL.csv").write_text(f"Date,Open,High,Low,Close,Adj Close,Volume\n{line}\n")
    assert say("tickers", "add", "AAPL", "--source", "csv", "--csv-dir", str(tmp_path)).code == 0


def test_an_empty_universe_says_how_to_fill_it(say: Say) -> None:
    assert "stock-assets tickers add AAPL" in say("tickers", "list").err


def test_the_group_alone_shows_its_commands(say: Say) -> None:
    assert "remove" in say("tickers").out
