"""The lineage for one ticker over the same `fit` calls in one bare process: `python -m benchmarks.lineage`.

Default settings, the bundled bars of AAPL, imports on both sides. Budget: at most 1.0 × on two cores, where the lineage
trains models side by side.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

BUDGET = 1.0


def fit_everything() -> None:
    """The fits that a run makes, and nothing else: inner folds, evaluated, final, of every model."""
    from datetime import UTC, date, datetime

    from stock_assets.forecasting.features import compute_features
    from stock_assets.forecasting.history import build_history
    from stock_assets.forecasting.models import discover
    from stock_assets.forecasting.sessions import lookback_start
    from stock_assets.forecasting.splits import holdout_splits, roles
    from stock_assets.forecasting.training import inner_folds
    from stock_assets.sources import open_source

    end = date(2013, 3, 1)
    prices = open_source("sample").fetch("AAPL", lookback_start(end, "5y"), end, now=datetime.now(UTC)).frame
    features = compute_features(prices.assign(ticker="AAPL"))
    role = prices["session"].map(roles(holdout_splits(features)))
    history = build_history(prices, features)
    train = np.flatnonzero(role == "train")
    labelled = np.flatnonzero(history["target_log_return"].notna())
    for model in discover().values():
        forecaster = model()
        for rows in (*(learn for learn, _ in inner_folds(train, forecaster)), train, labelled):
            forecaster.fit(history.iloc[: rows[-1] + 1])


def timed(command: list[str], home: Path) -> float:
    """Wall time of a process with one thread per library, as the lineage's steps have."""
    environment = os.environ | {"STOCK_ASSETS_HOME": str(home)}
    began = time.perf_counter()
    subprocess.run(command, env=environment, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return time.perf_counter() - began


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bare", action="store_true", help=argparse.SUPPRESS)
    parser.add_argument("--repeat", type=int, default=2, help="runs of each side; the fastest counts")
    given = parser.parse_args()
    if given.bare:
        fit_everything()
        return
    program = str(Path(sys.executable).with_name("stock-assets"))
    sides = {
        "lineage": [program, "run", "--ticker", "AAPL", "--source", "sample"],
        "bare fits": [sys.executable, "-m", "benchmarks.lineage", "--bare"],
    }
    seconds: dict[str, list[float]] = {name: [] for name in sides}
    for _ in range(given.repeat):
        for name, command in sides.items():
            with tempfile.TemporaryDirectory() as folder:
                seconds[name].append(timed(command, Path(folder) / "home"))
    ours, theirs = min(seconds["lineage"]), min(seconds["bare fits"])
    print(f"lineage for AAPL, default settings   {ours:6.1f} s")
    print(f"the same fits in one bare process    {theirs:6.1f} s")
    verdict = "held" if ours / theirs <= BUDGET else "missed"
    print(f"ratio                                {ours / theirs:6.2f}     (budget {BUDGET}: {verdict})")


if __name__ == "__main__":
    main()
