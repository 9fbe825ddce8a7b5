"""A lake for one run, whose steps ask for the same ticker's rows again and again."""

from collections import OrderedDict
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
        self._kept: OrderedDict[object, tuple[dict[str, Signature], pd.DataFrame]] = OrderedDict()

    def read(self, table: str, **where: Value) -> pd.DataFrame:
        """As `Lake.read`."""
        if not isinstance(where.get("ticker"), str):
            return super().read(table, **where)
        asked = {name: as_values(value) for name, value in where.items()}
        with self._open_for_reading():
            files = scan(self.root, find_table(table), asked)
        question = table, tuple((name, tuple(values)) for name, values in sorted(asked.items()))
        kept_files, kept = self._kept.get(question, (None, None))
        if kept is None or kept_files != files:
            # Listed before they are read: if one changes in between, the next reader reads again.
            kept = super().read(table, **where)
            self._kept[question] = files, kept
        self._kept.move_to_end(question)
        while len(self._kept) > _MOST:
            self._kept.popitem(last=False)
        return kept.copy()
