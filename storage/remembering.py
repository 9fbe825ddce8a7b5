"""A lake for one run, whose steps ask for the same ticker's rows again and again."""

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
        self._kept: dict[object, tuple[dict[str, Signature], pd.DataFrame]] = {}

    def read(self, table: str, **where: Value) -> pd.DataFrame:
        """As `Lake.read`."""
        if not isinstance(where.get("ticker"), str):
            return super().read(table, **where)
        asked = {name: tuple(as_values(value)) for name, value in where.items()}
        question = table, tuple(asked.items())
        files = self._files(table, asked)
        kept_files, kept = self._kept.get(question, (None, None))
        if kept is not None and kept_files == files:
            return kept.copy()
        rows = super().read(table, **where)
        if self._files(table, asked) == files:  # otherwise nobody can say which files these rows are from
            self._keep(question, files, rows.copy())
        return rows

    def _files(self, table: str, asked: dict[str, tuple[object, ...]]) -> dict[str, Signature]:
        with self._open_for_reading():
            return scan(self.root, find_table(table), asked)

    def _keep(self, question: object, files: dict[str, Signature], rows: pd.DataFrame) -> None:
        if len(self._kept) >= _MOST:
            self._kept.clear()
        self._kept[question] = files, rows
