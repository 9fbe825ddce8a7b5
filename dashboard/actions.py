"""What a person may do on the page *Universe*. Each takes seconds, so it is called in the background (`watch.py`).

All return a sentence that says what was done, and raise a `StockAssetsError` where it was not.
"""

from datetime import UTC, datetime

from dashboard.pipeline import Job, Pipeline
from stock_assets.settings import Settings
from storage.lake import Lake
from storage.publisher import Publisher
from storage.tickers import read_ticker
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
    """Take a ticker out of Dagster and of the table. Its bars, models and forecasts stay."""
    pipeline.forget_partition(ticker)
    remove_ticker(Lake(settings.lake_dir), ticker)
    Publisher(settings.home).publish()
    return f"{ticker} is removed; its bars, models and forecasts stay."


def launch(pipeline: Pipeline, job: Job, ticker: str) -> str:
    """Start a run of a ticker of the universe, which Dagster may not know yet."""
    pipeline.add_partition(ticker)
    pipeline.launch(job, ticker)
    return f"{ticker}: the run is in Dagster's queue; the list of runs shows how far it is."


def stop(pipeline: Pipeline, run_id: str) -> str:
    """Ask a run to stop."""
    pipeline.terminate(run_id)
    return "The run is stopping; finished fits are kept."
