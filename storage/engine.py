"""DuckDB connections of ours: in memory, offline, a database file attached; and frames with our pandas types."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import duckdb

if TYPE_CHECKING:  # a process for one query starts three times as fast without it
    import pandas as pd

CATALOG = "warehouse"
# Modest: several readers and a publisher share a laptop with training.
_THREADS = 2


def connect(**settings: str) -> duckdb.DuckDBPyConnection:
    """An in-memory connection that downloads nothing, spills nothing into the working directory and lives in UTC."""
    config: dict[str, str | bool | int | float | list[str]] = {
        "autoinstall_known_extensions": False,
        "autoload_known_extensions": False,
        "python_enable_replacements": False,  # or SQL could name Python variables of whoever calls
        "temp_directory": "",
        "threads": _THREADS,
        **settings,
    }
    connection = duckdb.connect(":memory:", config=config)
    connection.execute("SET TimeZone = 'UTC'")
    return connection


def attach(connection: duckdb.DuckDBPyConnection, path: Path, *, read_only: bool, name: str = CATALOG) -> None:
    """Attach a database file. Only names of ours are formatted into the statement; the path is a parameter."""
    connection.execute(f"ATTACH ? AS {name}" + (" (READ_ONLY)" if read_only else ""), [str(path)])


def fetch(result: duckdb.DuckDBPyConnection | duckdb.DuckDBPyRelation) -> "pd.DataFrame":
    """Rows as a frame: dates and times in nanoseconds, times in UTC, text as str or None."""
    frame = result.df()
    times = frame.select_dtypes(["datetime", "datetimetz"])
    return frame.assign(**{str(name): _nanoseconds(times[name]) for name in times})


def _nanoseconds(series: "pd.Series[Any]") -> "pd.Series[Any]":
    import pandas as pd

    if isinstance(series.dtype, pd.DatetimeTZDtype):
        series = series.dt.tz_convert("UTC")
    try:
        fine: pd.Series[Any] = series.dt.as_unit("ns")
    except pd.errors.OutOfBoundsDatetime:  # years nanoseconds cannot hold, in somebody's own SQL
        return series
    return fine
