"""What `doctor` looks at in a home: writable, lake of this version, calendars, published, bars at hand.

Nothing is made or locked here: a home that cannot be written to is a finding like any other.
"""

import importlib.util
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, date, datetime
from pathlib import Path

from stock_assets.cli.checkup import Result
from stock_assets.cli.context import nearest_existing, why_not_writable
from stock_assets.settings import Settings


def check_home(settings: Settings, *, packages_are_sound: bool) -> Iterator[Result]:
    """All results about the home and its source; what needs packages only where they are sound."""
    yield check_writable(settings.home)
    yield check_sample()
    if packages_are_sound:
        yield check_source(settings)
        yield _readable("lake", check_lake, settings)
        yield _readable("leftovers", check_leftovers, settings)
        yield _readable("published", check_published, settings)
        yield _readable("calendars", check_calendars, settings)


def check_writable(home: Path) -> Result:
    """The home, or the folder it would be made in, can be written to."""
    existing = nearest_existing(home)
    reason = why_not_writable(existing)
    if reason is not None:
        cure = "choose another home: STOCK_ASSETS_HOME=<a folder you may write to>"
        return Result("home", "missing", f"{home} cannot be written to ({reason})", cure)
    return Result("home", "ok", str(home) if existing == home else f"{home} (made at the first run)")


def check_source(settings: Settings) -> Result:
    """The default source is one that exists, and has what it needs."""
    from stock_assets.sources import source_names

    if settings.source not in source_names():
        cure = f"set STOCK_ASSETS_SOURCE to one of {', '.join(source_names())}"
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


def _readable(name: str, check: Callable[[Settings], Result], settings: Settings) -> Result:
    try:
        return check(settings)
    except OSError as error:
        found = f"{error.filename or settings.home} cannot be read ({error.strerror})"
        return Result(name, "missing", found, "get the right to read it, or choose another home: STOCK_ASSETS_HOME=…")


def check_lake(settings: Settings) -> Result:
    """The lake carries the schema version this program reads and writes."""
    from storage.errors import SchemaVersionMismatch
    from storage.layout import scan
    from storage.tables import SCHEMA_VERSION, TABLES
    from storage.version import require_current

    if not settings.lake_dir.exists():
        return Result("lake", "ok", "none yet")
    try:
        require_current(settings.lake_dir)
        tickers = scan(settings.lake_dir, TABLES["tickers"])  # one file each
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

    from storage.errors import DamagedGeneration, NothingPublished, QueryRefused
    from storage.sql import run_select

    try:
        frame = run_select("SELECT count(*) AS n FROM forecasts", settings.home)
    except NothingPublished:
        return Result("published", "ok", "nothing yet")
    except (DamagedGeneration, QueryRefused, duckdb.Error) as error:
        return Result("published", "missing", str(error).splitlines()[0], "rebuild it: stock-assets publish")
    return Result("published", "ok", f"answers; {frame['n'].iloc[0]:,} forecasts")


def check_calendars(settings: Settings) -> Result:
    """No exchange calendar of the published tickers ends within a month."""
    import duckdb

    from storage.errors import DamagedGeneration, NothingPublished, QueryRefused
    from storage.sql import run_select

    try:
        names = run_select(
            "SELECT DISTINCT calendar FROM tickers WHERE calendar IS NOT NULL ORDER BY calendar", settings.home
        )["calendar"]
    except (NothingPublished, DamagedGeneration, QueryRefused, duckdb.Error):  # told by `check_published`
        return Result("calendars", "ok", "none known yet")
    ending = ending_calendars(names, datetime.now(UTC).date())
    if ending:
        cure = "install a newer exchange_calendars; without it their tickers get no forecast from then on"
        return Result("calendars", "warn", "; ".join(ending), cure)
    return Result("calendars", "ok", ", ".join(names) or "none known yet")


def ending_calendars(calendars: Iterable[str], today: date) -> list[str]:
    """What to say of each calendar that is unknown, or ends within a month of `today`."""
    from stock_assets.forecasting.errors import UnknownCalendar
    from stock_assets.forecasting.sessions import ends_soon

    said = []
    for name in calendars:
        try:
            last = ends_soon(name, today)
        except UnknownCalendar as error:
            said.append(error.problem)
            continue
        if last is not None:
            said.append(f"{name} is known to {last:%Y-%m-%d} only")
    return said
