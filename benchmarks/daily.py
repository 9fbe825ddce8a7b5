"""The daily update from stored models over a bare load-and-predict loop: `python -m benchmarks.daily`.

Every model is trained for one simulated ticker (small settings) and its fits are copied to the others, each with a
history of 1,300 sessions. Then one session is added, and `stock-assets forecast` updates all of them: fetch, checks,
features, predictions with intervals, scores, champion, forecasts, drift, publication, all in Dagster. The bare loop
reads each ticker's history, calls `load_current` of each model and asks the final fit to predict; it runs before the
update and after it, since a machine's speed drifts, and the mean counts. A second bare loop loads no fit twice, where
the first loads the parents of each ensemble again. Budget: at most 3 × the first, by the clock and by the processor.
"""

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Both = NDArray[np.float64]
"""A figure by the clock and one by the processor, shape (2,)."""
BUDGET = 3.0
TRAINED = "T000"
_SESSIONS = 1300
_COPIED = ("raw_prices", "prices", "features", "splits", "predictions", "models", "champion", "tickers")


def write_bars(folder: Path, tickers: list[str], n: int) -> None:
    """The first `n` of the simulated sessions of every ticker, as CSV."""
    from exchange_calendars import get_calendar

    from tests.synthetic import garch_bars

    sessions = get_calendar("XNYS", start="2015-01-02", end="2022-12-30").sessions[:n]
    bars = garch_bars(TRAINED, _SESSIONS, seed=0).head(n)
    columns = {name: bars[name.lower()] for name in ("Open", "High", "Low", "Close", "Volume")}
    frame = pd.DataFrame({"Date": sessions.strftime("%Y-%m-%d"), **columns, "Adj Close": bars["close"]})
    folder.mkdir(exist_ok=True)
    for ticker in tickers:
        frame.to_csv(folder / f"{ticker}.csv", index=False)


def copy_ticker(home: Path, ticker: str) -> None:
    """Give `ticker` the bars and fits of the trained one, under its own name."""
    from storage.lake import Lake
    from storage.tables import TABLES

    lake = Lake(home / "lake")
    for name in _COPIED:
        table, rows = TABLES[name], lake.read(name, ticker=TRAINED).assign(ticker=ticker)
        if table.append_only:
            lake.append(name, rows)
            continue
        for values, part in rows.groupby(list(table.partition_by)):
            lake.write(name, part, **dict(zip(table.partition_by, map(str, values), strict=True)))
    fits = home / "models" / f"ticker={ticker}"
    shutil.copytree(home / "models" / f"ticker={TRAINED}", fits)
    for path in fits.glob("*/*/manifest.json"):
        path.write_text(json.dumps(json.loads(path.read_text()) | {"ticker": ticker}))
    # Training leaves word of how MLflow's aliases stand; without it each update would ask MLflow.
    aliases = home / "mlflow" / "aliases"
    shutil.copyfile(aliases / f"{TRAINED}.json", aliases / f"{ticker}.json")


def publish(home: Path) -> None:
    """As training all of them would have: the first publication of a home is no part of an update."""
    from storage.publisher import Publisher

    Publisher(home).publish()


def load_and_predict(home: Path, tickers: list[str], *, once: bool) -> None:
    """What the update needs at the least: load each model, predict."""
    from stock_assets.forecasting.artifacts import ArtifactStore
    from stock_assets.forecasting.history import build_history
    from stock_assets.forecasting.models import discover
    from storage.lake import Lake

    lake = Lake(home / "lake")
    for ticker in tickers:
        store = ArtifactStore(home / "models")
        store = store.remembering() if once else store
        history = build_history(lake.read("prices", ticker=ticker), lake.read("features", ticker=ticker))
        for model in discover():
            store.load_current(ticker, model).final.predict(history)


def timed(command: list[str], home: Path) -> Both:
    """Seconds of the clock and of the processor that a process took."""
    environment = os.environ | {"STOCK_ASSETS_HOME": str(home), "OMP_NUM_THREADS": "1"}
    log = home.parent / "log"
    began, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with log.open("w") as file:
        done = subprocess.run(command, env=environment, check=False, stdout=file, stderr=file)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{log.read_text()[-2000:]}")
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    return np.array([time.perf_counter() - began, now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime])


def n_fits(home: Path) -> int:
    """How many fits the store holds."""
    return len(list((home / "models").glob("ticker=*/*/*/manifest.json")))


def show(name: str, both: Both, digits: int, remark: str = "") -> None:
    """One line: a figure of the clock and one of the processor."""
    print(f"{name:<38} {both[0]:10.{digits}f} {both[1]:11.{digits}f}{remark}")


def compare(folder: Path, tickers: list[str]) -> None:
    home, bars = folder / "home", folder / "csv"
    program = str(Path(sys.executable).with_name("stock-assets"))
    write_bars(bars, tickers, _SESSIONS - 1)
    source = ["--csv-dir", str(bars)]
    timed([program, "run", "--ticker", TRAINED, *source, "--fast"], home)
    for ticker in tickers[1:]:
        copy_ticker(home, ticker)
    publish(home)
    write_bars(bars, tickers, _SESSIONS)
    before = n_fits(home)
    bare = [sys.executable, "-m", "benchmarks.daily", "--tickers", str(len(tickers)), "--home", str(home), "--bare"]
    sides = {
        "bare load-and-predict loop": [*bare, "each"],
        "the same, no fit loaded twice": [*bare, "once"],
        "daily update": [program, "forecast", *source],
        "bare load-and-predict loop again": [*bare, "each"],
    }
    seconds = {name: timed(command, home) for name, command in sides.items()}
    print(f"{len(tickers)} tickers, {before // len(tickers)} stored fits each             seconds   processor")
    for name, side in seconds.items():
        show(name, side, 1)
    first, once, ours, again = seconds.values()
    ratios = ours / ((first + again) / 2)
    # Other work on the machine changes the clock of one side only; the processor's time tells whether it did.
    verdict = "held" if ratios.max() <= BUDGET else "missed"
    show("ratio", ratios, 2, f"   (budget {BUDGET}: {verdict})")
    show("ratio to the loop that loads once", ours / once, 2)
    print(f"{'fits made (must be 0)':<38} {n_fits(home) - before:10d}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickers", type=int, default=100)
    parser.add_argument("--bare", choices=["each", "once"], help=argparse.SUPPRESS)
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    tickers = [f"T{number:03d}" for number in range(given.tickers)]
    if given.bare:
        load_and_predict(given.home, tickers, once=given.bare == "once")
        return
    with tempfile.TemporaryDirectory() as folder:
        compare(Path(folder), tickers)


if __name__ == "__main__":
    main()
