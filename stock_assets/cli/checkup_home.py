"""What `doctor` looks at in a home: writable, lake of this version, published, bars at hand."""

import importlib.util
import os
from collections.abc import Iterator
from pathlib import Path

from stock_assets.cli.checkup import Result
from stock_assets.settings import Settings

SOURCES = ("yahoo", "sample", "csv")


def check_home(settings: Settings, *, packages_are_sound: bool) -> Iterator[Result]:
    """All results about the home and its source; what needs packages only where they are sound."""
    yield check_writable(settings.home)
    yield check_source(settings)
    yield check_sample()
    if packages_are_sound:
        yield check_lake(settings)
        yield check_leftovers(settings)
        yield check_published(settings)


def check_writable(home: Path) -> Result:
    """The home, or the folder it would be made in, can be written to."""
    existing = next(folder for folder in (home, *home.parents) if folder.exists())
    if not existing.is_dir() or not os.access(existing, os.W_OK | os.X_OK):
        return Result("home", "missing", f"{home} cannot be written to", "set STOCK_ASSETS_HOME to a folder of yours")
    return Result("home", "ok", str(home) if home.exists() else f"{home} (made at the first run)")


def check_source(settings: Settings) -> Result:
    """The default source is one that exists, and has what it needs."""
    if settings.source not in SOURCES:
        cure = f"set STOCK_ASSETS_SOURCE to {', '.join(SOURCES[:-1])} or {SOURCES[-1]}"
        return Result("source", "missing", f"STOCK_ASSETS_SOURCE is {settings.source!r}", cure)
    if settings.source != "csv":
        return Result("source", "ok", f"{settings.source} (default for new tickers)")
    if settings.csv_dir is None or not settings.csv_dir.is_dir():
        cure = "set STOCK_ASSETS_CSV_DIR to a folder of TICKER.csv files"
        return Result("source", "missing", f"csv, but its folder is {settings.csv_dir}", cure)
    return Result("source", "ok", f"csv: {len(list(settings.csv_dir.glob('*.csv')))} files in {settings.csv_dir}")


def check_sample() -> Result:
    """The bundled bars are there."""
    if importlib.util.find_spec("bokeh_sampledata") is None:
        return Result("sample data", "missing", "not installed", "pip install bokeh_sampledata -c constraints.txt")
    return Result("sample data", "ok", "AAPL, GOOG, IBM, MSFT and FB of 2000–2013")


def check_lake(settings: Settings) -> Result:
    """The lake carries the schema version this program reads and writes."""
    from storage.errors import SchemaVersionMismatch
    from storage.lake import Lake
    from storage.tables import SCHEMA_VERSION

    if not settings.lake_dir.exists():
        return Result("lake", "ok", "none yet")
    try:
        tickers = Lake(settings.lake_dir).read("tickers")["ticker"]
    except SchemaVersionMismatch as error:
        return Result("lake", "missing", error.problem, error.cure)
    return Result("lake", "ok", f"schema version {SCHEMA_VERSION}, {len(tickers)} tickers")


def check_leftovers(settings: Settings) -> Result:
    """No killed process left temporary files behind."""
    from storage.files import is_abandoned

    left = [
        path
        for folder in (settings.lake_dir, settings.published_dir)
        for path in folder.rglob(".*")
        if is_abandoned(path)
    ]
    if not left:
        return Result("leftovers", "ok", "none")
    return Result("leftovers", "warn", f"{len(left)} temporary files of killed processes", "the next run sweeps them")


def check_published(settings: Settings) -> Result:
    """The published database answers."""
    import duckdb

    from storage.errors import NothingPublished, QueryRefused
    from storage.sql import run_select

    try:
        frame = run_select("SELECT count(*) AS n FROM forecasts", settings.home)
    except NothingPublished:
        return Result("published", "ok", "nothing yet")
    except (QueryRefused, duckdb.Error) as error:
        return Result("published", "missing", str(error).splitlines()[0], "rebuild it: stock-assets publish")
    return Result("published", "ok", f"answers; {frame['n'].iloc[0]:,} forecasts")
