"""Features of a universe, Parquet to Parquet: our one DuckDB pass over the same features in pandas.

    python benchmarks/features.py [--tickers 800] [--sessions 3528] [--threads 2]

Each side runs in a process of its own, reads the same file, and writes every feature and the target of every session
after the warm-up. Prints both times, the ratio (budget 0.4) and the largest difference.
"""

import argparse
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import duckdb
import numpy as np
import pandas as pd

from stock_assets.forecasting.features import FEATURES, WARM_UP, features_sql

BUDGET = 0.4


def make_prices(path: Path, n_tickers: int, n_sessions: int) -> None:
    """Random walks, one row per ticker and session, the numeric columns of table `prices`."""
    rng = np.random.default_rng(0)
    returns = 0.02 * rng.standard_normal((n_tickers, n_sessions))
    close = 100 * np.exp(np.cumsum(returns, axis=1)).ravel()
    n = close.size
    opening = close * np.exp(0.005 * rng.standard_normal(n))
    pd.DataFrame(
        {
            "ticker": np.repeat([f"T{i:04d}" for i in range(n_tickers)], n_sessions),
            "session": np.tile(pd.bdate_range("2000-01-03", periods=n_sessions), n_tickers),
            "open": opening,
            "high": np.maximum(opening, close) * np.exp(np.abs(0.005 * rng.standard_normal(n))),
            "low": np.minimum(opening, close) * np.exp(-np.abs(0.005 * rng.standard_normal(n))),
            "close": close,
            "adj_close": close,
            "volume": np.round(1e6 * np.exp(0.3 * rng.standard_normal(n))),
        }
    ).to_parquet(path)


def by_duckdb(source: Path, target: Path, threads: int) -> None:
    sql = features_sql(f"read_parquet('{source}')")
    with duckdb.connect(config={"threads": threads}) as connection:
        connection.execute(f"COPY ({sql}) TO '{target}' (FORMAT parquet)")


def by_pandas(source: Path, target: Path) -> None:
    """The same features by groupby and rolling, as most people would write them."""
    bars = pd.read_parquet(source).sort_values(["ticker", "session"], ignore_index=True)
    ticker = bars["ticker"]

    def shifted(values: pd.Series, n: int) -> pd.Series:
        return values.groupby(ticker, sort=False).shift(n)

    def mean(values: pd.Series, n: int) -> pd.Series:
        return values.groupby(ticker, sort=False).rolling(n).mean().reset_index(level=0, drop=True)

    level = np.log(bars["adj_close"])
    log_return = level - shifted(level, 1)
    squared, day = log_return**2, np.log(bars["high"] / bars["low"]) ** 2
    spread = bars["high"] - bars["low"]
    features = pd.DataFrame(
        {
            "ticker": ticker,
            "session": bars["session"],
            "log_return_1": log_return,
            **{f"log_return_{n}": level - shifted(level, n) for n in (2, 5, 10, 20)},
            **{f"volatility_{n}": np.sqrt(mean(squared, n)) for n in (5, 20, 60)},
            "range_volatility_20": np.sqrt(mean(day, 20) / (4 * np.log(2))),
            "gap": np.log(bars["open"] / bars["close"]) + log_return,
            "range_position": ((bars["close"] - bars["low"]) / spread).where(spread > 0, 0.5),
            "mean_distance_60": level - mean(level, 60),
            "relative_strength_14": (mean(log_return.clip(lower=0), 14) / mean(log_return.abs(), 14)).fillna(0.5),
            "relative_volume_20": (bars["volume"] / mean(bars["volume"], 20)).fillna(1.0),
            "target_session": shifted(bars["session"], -1),
            "target_log_return": shifted(level, -1) - level,
        }
    )
    features[ticker.groupby(ticker, sort=False).cumcount() >= WARM_UP].to_parquet(target, index=False)


def timed(side: str, source: Path, target: Path, threads: int) -> tuple[float, float]:
    """Wall and processor seconds of one side, imports left out."""
    command = [sys.executable, __file__, "--side", side, str(source), str(target), "--threads", str(threads)]
    wall, processor = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split()
    return float(wall), float(processor)


def difference(one: Path, other: Path) -> float:
    names = [feature.name for feature in FEATURES]
    frames = [pd.read_parquet(path).sort_values(["ticker", "session"], ignore_index=True) for path in (one, other)]
    if not frames[0][["ticker", "session"]].equals(frames[1][["ticker", "session"]]):
        raise SystemExit("the two sides have different rows")
    return float(np.abs(frames[0][names].to_numpy() - frames[1][names].to_numpy()).max())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickers", type=int, default=800)
    parser.add_argument("--sessions", type=int, default=3528, help="of each ticker; 3528 is 14 years")
    parser.add_argument("--threads", type=int, default=2, help="of DuckDB")
    parser.add_argument("--repeat", type=int, default=3, help="runs of each side; the fastest counts")
    parser.add_argument("--side", nargs=3, metavar=("SIDE", "SOURCE", "TARGET"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.side:
        side, source, target = given.side
        wall, processor = time.perf_counter(), time.process_time()
        if side == "duckdb":
            by_duckdb(Path(source), Path(target), given.threads)
        else:
            by_pandas(Path(source), Path(target))
        print(time.perf_counter() - wall, time.process_time() - processor)
        return
    with tempfile.TemporaryDirectory() as folder:
        source, ours, theirs = (Path(folder) / f"{name}.parquet" for name in ("prices", "duckdb", "pandas"))
        make_prices(source, given.tickers, given.sessions)
        seconds = {
            side: min(timed(side, source, target, given.threads) for _ in range(given.repeat))
            for side, target in (("duckdb", ours), ("pandas", theirs))
        }
        ratio = seconds["duckdb"][0] / seconds["pandas"][0]
        print(f"{len(FEATURES)} features, {given.tickers} tickers × {given.sessions} sessions, {given.threads} threads")
        for side, (wall, processor) in seconds.items():
            print(f"{side:18} {wall:6.2f} s   ({processor:.2f} s of processors)")
        print(f"ratio              {ratio:6.2f}     (budget {BUDGET}: {'held' if ratio <= BUDGET else 'missed'})")
        print(f"largest difference {difference(ours, theirs):6.0e}")


if __name__ == "__main__":
    main()
