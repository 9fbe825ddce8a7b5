"""What a person may do on the page *Universe*. Each takes seconds, so it is called in the background (`watch.py`).

All return a sentence that says what was done, and raise a `StockAssetsError` where it was not.
"""

from datetime import UTC, datetime

import pandas as pd

from dashboard import words
from dashboard.pipeline import Job, Pipeline
from stock_assets.settings import Settings
from storage.errors import InvalidTicker
from storage.lake import Lake
from storage.publisher import Publisher
from storage.tickers import read_ticker, validate_ticker
from storage.universe import add_ticker, remove_ticker


def add(settings: Settings, typed: str, source: str) -> str:
    """Add a ticker to the table; the sensor `new_tickers` makes its first run."""
    ticker = read_ticker(typed.strip())
    done = add_ticker(Lake(settings.lake_dir), ticker, source, now=datetime.now(UTC))
    if done == "kept":
        return f"{ticker} is in the universe already."
    Publisher(settings.home).publish()
    return f"{ticker} is in the universe. Dagster starts its first run within half a minute, where it runs."


def remove(settings: Settings, pipeline: Pipeline, ticker: str) -> str:
    """Take a ticker out of the table, unless a run would write its row again. Its bars, models and forecasts stay."""
    lake = Lake(settings.lake_dir)
    pipeline.require_free(ticker, _market(_row(lake, ticker)))
    remove_ticker(lake, ticker)
    Publisher(settings.home).publish()
    return f"{ticker} is removed; its bars, models and forecasts stay."


def launch(settings: Settings, pipeline: Pipeline, job: Job, ticker: str) -> str:
    """Start a run of a ticker of the universe, whose market Dagster may not know yet."""
    lake = Lake(settings.lake_dir)
    row = _row(lake, ticker)
    market = _market(row)
    if market is None:
        return _ask_for_first_run(settings, pipeline, row)
    pipeline.add_partition(market)
    pipeline.launch(job, ticker, market)
    return f"{ticker}: the run is in Dagster's queue; the list of runs shows how far it is."


def stop(pipeline: Pipeline, run_id: str) -> str:
    """Ask a run to stop."""
    pipeline.terminate(run_id)
    return "The run is stopping; finished fits are kept."


def _ask_for_first_run(settings: Settings, pipeline: Pipeline, row: pd.DataFrame) -> str:
    """Make a ticker that was never fetched a new one again: `new_tickers`, not this page, can guess its market."""
    ticker = str(row["ticker"].iloc[0])
    pipeline.require_free(ticker, None)
    now = pd.Timestamp(datetime.now(UTC))
    row = row.assign(status="added", stage=None, reason=None, cure=None, run_id=None, updated_at=now)
    Lake(settings.lake_dir).write("tickers", row, ticker=ticker)
    Publisher(settings.home).publish()
    return f"{ticker} was not fetched yet. Dagster starts its first run within half a minute, where it runs."


def _row(lake: Lake, ticker: str) -> pd.DataFrame:
    """A ticker's row of `tickers`; `InvalidTicker` where it has none, or the name is no ticker."""
    row = lake.read("tickers", ticker=validate_ticker(ticker))
    if row.empty:
        raise InvalidTicker(f"{ticker} is not in the universe", cure="add it first")
    return row


def _market(row: pd.DataFrame) -> str | None:
    """Where a ticker trades; None before it was fetched."""
    calendar = row["calendar"].iloc[0]
    return None if words.is_missing(calendar) else str(calendar)
