"""The platform's tables as frames, for notebooks and scripts.

    import storage
    storage.table("forecasts", ticker="AAPL")
    storage.query("SELECT model, rmse FROM leaderboard WHERE role = 'test'")

Everything is read from the newest published generation, so nothing here can disturb a running pipeline.
"""

from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd


def table(name: str, home: Path | None = None, **where: object) -> "pd.DataFrame":
    """Rows of a table or view; `where` is column = value, or column = list of values.

    Args:
        name: for example `prices`, `forecasts`, `leaderboard`; docs/tables.md has them all.
        home: folder of all state; STOCK_ASSETS_HOME or its default if left out.

    Raises:
        UnknownTable, NothingPublished: with what to do about it.
    """
    from storage.published import Reader
    from storage.queries import relation

    with Reader(home or _default_home()) as reader:
        return relation(reader, name, **where)


def query(sql: str, home: Path | None = None) -> "pd.DataFrame":
    """All rows of one SELECT statement; `QueryRefused`, `NothingPublished` with what to do about it."""
    from storage.sql import run_select

    return run_select(sql, home or _default_home(), max_rows=None, timeout=None)


def _default_home() -> Path:
    from stock_assets.settings import load_settings

    return load_settings().home
