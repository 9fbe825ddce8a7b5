"""A lake for one run, whose steps ask for the same ticker's rows again and again."""

from functools import lru_cache
from pathlib import Path

import pandas as pd

from storage.lake import Lake
from storage.layout import Signature, scan
from storage.names import find_table
from storage.parquet import Value, as_values

_MOST = 64  # frames: what the steps of one ticker ask for, some 20 MB


class RememberingLake(Lake):
    """A lake that reads a ticker's rows once for as long as their files stay the same, whoever writes them.

    Every content of a file has its own signature, so what it gives out is never older than the files. Each reader gets
    a copy of its own. Rows of many tickers may be many, and are read each time.
    """

    def __init__(self, root: Path) -> None:
        """Open the lake at `root`, which need not exist yet."""
        super().__init__(root)
        self._read_once = lru_cache(maxsize=_MOST)(self._read_of)

    def read(self, table: str, **where: Value) -> pd.DataFrame:
        """As `Lake.read`."""
        if not isinstance(where.get("ticker"), str):
            return super().read(table, **where)
        asked = {name: tuple(as_values(value)) for name, value in where.items()}
        with self._open_for_reading():
            # Listed before they are read: if one changes in between, the next reader lists another content.
            files = scan(self.root, find_table(table), asked)
        return self._read_once(table, tuple(asked.items()), tuple(files.items())).copy()

    def _read_of(
        self, table: str, asked: tuple[tuple[str, tuple[object, ...]], ...], _: tuple[tuple[str, Signature], ...]
    ) -> pd.DataFrame:
        return super().read(table, **dict(asked))
