"""Publishing one ticker's change and querying one ticker, in a simulated lake of 500 tickers × 8 models.

`python -m benchmarks.publish [--tickers 500] [--models 8]`. Budget: published in at most 1 s on two cores; a ticker's
query in at most 50 ms (95th percentile).
"""

import argparse
import json
import tempfile
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pandas as pd

from storage import queries
from storage.contracts import conform
from storage.layout import new_append_path, partition_path
from storage.parquet import write_rows
from storage.published import Reader
from storage.publisher import Publisher
from storage.tables import SCHEMA_VERSION, TABLES
from storage.version import write_version
from tests.storage.frames import partition, rows

ROWS = {
    "tickers": 1,
    "prices": 1256,
    "features": 1196,
    "splits": 1196,
    "models": 2,
    "predictions": 252,
    "evaluation": 16,
}
REPEATS = 10


def realistic(name: str, n: int, **fixed: object) -> pd.DataFrame:
    """Rows whose texts repeat, as sources, roles and versions do, and whose prices are in cents."""
    key = TABLES[name].key
    texts = {c.name: c.name for c in TABLES[name].columns if c.type == "VARCHAR" and c.name not in key}
    frame = rows(name, n, **texts).assign(**fixed)
    return frame.round(2) if name in ("prices", "raw_prices") else frame


def build_lake(root: Path, tickers: list[str], models: list[str]) -> None:
    """Write the files directly: thousands of synced writes would measure the disk."""
    write_version(root, SCHEMA_VERSION)
    for name, n in ROWS.items():
        table = TABLES[name]
        for ticker in tickers:
            for model in models if "model" in table.partition_by else ["random_walk"]:
                where = partition(name, ticker, model)
                path = partition_path(root, table, where)
                path.parent.mkdir(parents=True, exist_ok=True)
                write_rows(conform(table, realistic(name, n, **where)), path)
    for name in ("forecasts", "forecast_scores", "raw_prices"):
        (root / name).mkdir(parents=True, exist_ok=True)
        for ticker in tickers[:: 1 if name == "raw_prices" else 10]:
            n = 1256 if name == "raw_prices" else 100
            write_rows(conform(TABLES[name], realistic(name, n, ticker=ticker)), new_append_path(root, TABLES[name]))


def change(publisher: Publisher, ticker: str, models: list[str], seed: int) -> None:
    """What a daily update of one ticker writes."""
    lake = publisher.lake
    for name in ("prices", "features"):
        lake.write(name, rows(name, ROWS[name], seed=seed, ticker=ticker), ticker=ticker)
    for model in models:
        where = partition("predictions", ticker, model)
        lake.write("predictions", realistic("predictions", ROWS["predictions"], **where), **where)
    lake.append("forecasts", rows("forecasts", len(models), seed=seed, ticker=ticker))


def timed(work: Callable[[], object]) -> float:
    began = time.perf_counter()
    work()
    return time.perf_counter() - began


def measure_queries(home: Path, tickers: list[str]) -> dict[str, float]:
    """95th percentile in ms, on an open reader, of what a dashboard asks for one ticker."""
    asked: dict[str, Callable[[Reader, str], object]] = {
        "prices": queries.prices,
        "predictions": lambda reader, ticker: queries.predictions(reader, ticker, ["m0"]),
        "leaderboard": queries.leaderboard,
        "latest_forecasts": queries.latest_forecasts,
        "track_record": queries.track_record,
    }
    chosen = np.random.default_rng(0).choice(tickers, 100)
    with Reader(home) as reader:
        return {
            name: _p95([timed(partial(query, reader, ticker)) for ticker in chosen]) for name, query in asked.items()
        }


def _p95(seconds: list[float]) -> float:
    return float(np.percentile(seconds, 95) * 1e3)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickers", type=int, default=500)
    parser.add_argument("--models", type=int, default=8)
    given = parser.parse_args()
    tickers = [f"T{i:03d}" for i in range(given.tickers)]
    models = [f"m{i}" for i in range(given.models)]
    with tempfile.TemporaryDirectory() as folder:
        home = Path(folder)
        build_lake(home / "lake", tickers, models)
        publisher = Publisher(home)
        first = timed(publisher.publish)
        seconds = []
        for seed in range(REPEATS):
            change(publisher, tickers[seed * 7 % len(tickers)], models, seed)
            seconds.append(timed(publisher.publish))
        nothing = timed(publisher.publish)
        megabytes = (home / "warehouse.duckdb").stat().st_size / 1e6
        p95 = measure_queries(home, tickers)
    figures = {
        "benchmark": "publish",
        "tickers": given.tickers,
        "models": given.models,
        "megabytes": round(megabytes),
        "first_s": round(first, 2),
        "change_median_s": round(float(np.median(seconds)), 3),
        "change_max_s": round(max(seconds), 3),
        "unchanged_s": round(nothing, 3),
        "query_p95_ms": {name: round(value, 1) for name, value in p95.items()},
    }
    print(json.dumps(figures))
    print(f"{given.tickers} tickers × {given.models} models, {megabytes:.0f} MB; built from the lake in {first:.1f} s")
    print(f"one ticker's change published in {np.median(seconds):.2f} s, at most {max(seconds):.2f} s (budget 1 s)")
    print(f"slowest query: {max(p95.values()):.0f} ms at the 95th percentile (budget 50 ms)")


if __name__ == "__main__":
    main()
