"""Which tickers belong to which market, and which of them a run is about."""

from collections.abc import Iterable, Mapping
from typing import Any

import dagster as dg

from stock_assets.partitions import MARKET_TAG
from stock_assets.sources._symbols import calendar_of_symbol
from storage.lake import Lake


def markets_of(lake: Lake, tickers: Iterable[str]) -> dict[str, list[str]]:
    """Market → those of `tickers` that trade there, in the order given.

    A ticker that was never fetched goes where the form of its symbol suggests; its source knows better afterwards.
    """
    known = _calendars(lake)
    found: dict[str, list[str]] = {}
    for ticker in dict.fromkeys(tickers):
        found.setdefault(known.get(ticker) or calendar_of_symbol(ticker), []).append(ticker)
    return found


def listed(lake: Lake, market: str) -> list[str]:
    """The tickers of the universe that trade on a market, in alphabetical order."""
    return sorted(markets_of(lake, _calendars(lake)).get(market, []))


def tickers_of_run(run: dg.DagsterRun, lake: Lake) -> list[str]:
    """The tickers that a run was asked for: those its configuration names, otherwise all of its market."""
    named = chosen_tickers(run.run_config)
    market = run.tags.get(MARKET_TAG)
    return named or (listed(lake, market) if market else [])


def remaining_of_run(run: dg.DagsterRun, lake: Lake) -> list[str]:
    """Those of `tickers_of_run` that are in the universe now."""
    asked = tickers_of_run(run, lake)
    known = set(lake.read("tickers", ticker=asked)["ticker"])
    return [ticker for ticker in asked if ticker in known]


def chosen_tickers(run_config: Mapping[str, Any]) -> list[str]:
    """The tickers that a run's configuration names; none where it is about a whole market."""
    universe = run_config.get("resources", {}).get("universe", {})
    return list(universe.get("config", {}).get("tickers", []))


def choose_tickers(tickers: Iterable[str]) -> dict[str, Any]:
    """The part of a run's configuration that names tickers."""
    return {"universe": {"config": {"tickers": list(tickers)}}}


def _calendars(lake: Lake) -> dict[str, str | None]:
    rows = lake.read("tickers")
    return dict(zip(rows["ticker"], rows["calendar"].where(rows["calendar"].notna(), None), strict=True))
