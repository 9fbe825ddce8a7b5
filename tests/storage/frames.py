"""Valid rows for any table, made from its contract alone: the storage tests need shapes, not market data."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from storage.schema import Column
from storage.tables import TABLES
from storage.version import write_version

NEW_IN_3 = {"tickers": ["stage", "cure", "run_id"], "predictions": ["bars_version"]}


def rows(table: str, n: int = 3, *, seed: int = 0, **fixed: object) -> pd.DataFrame:
    """`n` rows with distinct keys (one, where nothing else could tell them apart); `fixed` sets whole columns."""
    n = min(n, 1) if set(TABLES[table].key) <= {"ticker", "model", "scheme"} else n
    generator = np.random.default_rng(seed)
    frame = pd.DataFrame({column.name: _values(column, n, generator) for column in TABLES[table].columns})
    return frame.assign(**fixed)


def _values(column: Column, n: int, generator: np.random.Generator) -> object:
    if column.name == "ticker":
        return ["AAPL"] * n
    if column.name == "model":
        return ["random_walk"] * n
    if column.name == "scheme":
        return ["holdout"] * n
    by_type = {
        "VARCHAR": lambda: [f"{column.name}-{i:06d}-{generator.integers(10**9)}" for i in range(n)],
        "DOUBLE": lambda: generator.normal(100, 1, n),
        "BIGINT": lambda: np.arange(n, dtype="int64"),
        "BOOLEAN": lambda: np.arange(n) % 2 == 0,
        "DATE": lambda: pd.date_range("2024-01-01", periods=n, freq="D"),
        "TIMESTAMPTZ": lambda: pd.date_range("2024-01-01 21:00:01", periods=n, freq="h", tz="UTC"),
    }
    return by_type[column.type]()


def partition(table: str, ticker: str = "AAPL", model: str = "random_walk", scheme: str = "holdout") -> dict[str, str]:
    """The partition columns of `table` with these values."""
    values = {"ticker": ticker, "model": model, "scheme": scheme}
    return {name: values[name] for name in TABLES[table].partition_by}


def make_version_2(root: Path) -> None:
    """Make of a lake what the version before would have written, as far as it had room for it."""
    drop_columns(root, NEW_IN_3)
    write_version(root, 2)


def drop_columns(root: Path, columns: Mapping[str, Sequence[str]]) -> None:
    """Take columns out of every file of some tables."""
    for table, names in columns.items():
        for path in (root / table).rglob("*.parquet"):
            pq.write_table(pq.ParquetFile(path).read().drop_columns(list(names)), path)
