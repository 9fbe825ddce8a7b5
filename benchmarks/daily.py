"""The daily update from stored models over a loop as a person would write it: `python -m benchmarks.daily`.

Every model is trained for one simulated ticker, and its fits are copied to the others, each with a history of 1,300
sessions. Then one session is added, and `stock-assets forecast` updates all of them in one Dagster run: fetch, checks,
features, predictions with intervals, scores, champion, forecasts, drift, publication. The person's loop keeps each
final fit in its library's own format (skops, .keras, state dict, UBJ, JSON), loads it, and asks it for the whole
history, ticker after ticker; nothing else. It runs before the update and after it, since a machine's speed drifts, and
the mean counts. Budget: at most 0.2 × of it in seconds of a processor; with more tickers at most 1.05 × for each.
The update and its workers may have 3 GB resident together with 500 tickers, and 1.2 × that with more.
"""

import argparse
import json
import shutil
import sys
import tempfile
from pathlib import Path

import pandas as pd

from benchmarks.processes import PROGRAM, Both, measured, timed

BUDGET = 0.2
GROWTH = 1.05
MEMORY, MEMORY_AT, MEMORY_GROWTH = 3.0, 500, 1.2
"""GB with so many tickers, and how much more there may be with more of them."""
TRAINED = "T0000"
_SESSIONS = 1300
_COPIED = ("raw_prices", "prices", "features", "splits", "predictions", "models", "champion", "evaluation", "tickers")


def names(n: int) -> list[str]:
    return [f"T{number:04d}" for number in range(n)]


def write_bars(folder: Path, tickers: list[str], n: int) -> None:
    """The first `n` of the simulated sessions of every ticker, as CSV."""
    from exchange_calendars import get_calendar

    from tests.synthetic import garch_bars

    sessions = get_calendar("XNYS", start="2015-01-02", end="2022-12-30").sessions[:n]
    bars = garch_bars(TRAINED, _SESSIONS, seed=0).head(n)
    columns = {name: bars[name.lower()] for name in ("Open", "High", "Low", "Close", "Volume")}
    frame = pd.DataFrame({"Date": sessions.strftime("%Y-%m-%d"), **columns, "Adj Close": bars["close"]})
    folder.mkdir(exist_ok=True)
    text = frame.to_csv(index=False)
    for ticker in tickers:
        (folder / f"{ticker}.csv").write_text(text)


def copy_tickers(home: Path, tickers: list[str]) -> None:
    """Give each of `tickers` the bars and fits of the trained one, under its own name; published as training would."""
    from storage.lake import Lake
    from storage.publisher import Publisher
    from storage.tables import TABLES

    lake = Lake(home / "lake")
    for name in _COPIED:
        table, stored = TABLES[name], lake.read(name, ticker=TRAINED)
        if table.append_only:
            lake.append(name, pd.concat([stored.assign(ticker=ticker) for ticker in tickers], ignore_index=True))
            continue
        for ticker in tickers:
            for values, part in stored.assign(ticker=ticker).groupby(list(table.partition_by)):
                lake.write(name, part, **dict(zip(table.partition_by, map(str, values), strict=True)))
    for ticker in tickers:
        fits = home / "models" / f"ticker={ticker}"
        shutil.copytree(home / "models" / f"ticker={TRAINED}", fits)
        for path in fits.glob("*/*/manifest.json"):
            path.write_text(json.dumps(json.loads(path.read_text()) | {"ticker": ticker}))
        # Training leaves word of how MLflow's aliases stand; without it each update would ask MLflow.
        aliases = home / "mlflow" / "aliases"
        shutil.copyfile(aliases / f"{TRAINED}.json", aliases / f"{ticker}.json")
    Publisher(home).publish()


def export(home: Path, folder: Path) -> None:
    """The final fits of the trained ticker, each in its library's own format and in no other: what a person would keep.

    Ours lie beside them in the store as plain arrays, which load in a fraction of the time.
    """
    from stock_assets.forecasting.artifacts import ArtifactStore
    from stock_assets.forecasting.ensembles import member_names

    store = ArtifactStore(home / "models")
    for name in member_names():
        final = store.load_current(TRAINED, name).final
        own = folder / name
        shutil.copytree(home / "models" / f"ticker={TRAINED}" / name / final.manifest.version, own)
        (own / "settings.json").write_text(json.dumps(final.manifest.settings))
        for arrays in own.glob("*.npz"):
            arrays.unlink()
    _export_forest(home, folder / "random_forest")


def _export_forest(home: Path, folder: Path) -> None:
    """The forest as scikit-learn has it, fitted again on the same rows, by skops."""
    import skops.io
    from sklearn.ensemble import RandomForestRegressor

    from stock_assets.forecasting.models._tabular import training_table
    from stock_assets.forecasting.models.random_forest import RandomForest

    ours = RandomForest(**json.loads((folder / "settings.json").read_text()))
    table = training_table(_history(home, TRAINED), ours.target)
    forest = RandomForestRegressor(
        n_estimators=ours.n_estimators,
        max_depth=ours.max_depth or None,
        min_samples_leaf=ours.min_leaf_share or 1,
        max_features=ours.max_features,
        random_state=ours.seed,
    )
    forest.fit(pd.DataFrame(table.inputs, columns=list(table.columns)), table.labels)
    skops.io.dump(forest, folder / "model.skops")


def _history(home: Path, ticker: str) -> pd.DataFrame:
    from stock_assets.forecasting.history import build_history
    from storage.lake import Lake

    lake = Lake(home / "lake")
    return build_history(lake.read("prices", ticker=ticker), lake.read("features", ticker=ticker))


def loop(home: Path, kept: Path, tickers: list[str]) -> None:
    """What a person would write: load each fit, ask it for the whole history."""
    from stock_assets.forecasting.models import discover

    for ticker in tickers:
        history = _history(home, ticker)
        for folder in sorted(kept.iterdir()):
            settings = json.loads((folder / "settings.json").read_text())
            discover()[folder.name].load(folder, settings).predict(history)


def n_fits(home: Path) -> int:
    """How many fits the store holds."""
    return len(list((home / "models").glob("ticker=*/*/*/manifest.json")))


def show(name: str, both: Both, digits: int, remark: str = "") -> None:
    """One line: a figure of the clock and one of the processor."""
    print(f"{name:<44} {both[0]:9.{digits}f} {both[1]:10.{digits}f}{remark}", flush=True)


def verdict(value: float, budget: float) -> str:
    return f"   (budget {budget}: {'held' if value <= budget else 'missed'})"


def show_memory(n: int, resident: dict[int, float]) -> None:
    """The peak with `n` tickers, beside its budget where there is one."""
    told = verdict(resident[n], MEMORY) if n == MEMORY_AT else ""
    if n > MEMORY_AT and MEMORY_AT in resident:
        growth = resident[n] / resident[MEMORY_AT]
        told = f", {growth:.2f} × that of {MEMORY_AT}{verdict(growth, MEMORY_GROWTH)}"
    print(f"{'peak resident memory, GB, workers included':<44} {resident[n]:9.2f}{told}")


def update(home: Path, bars: Path, tickers: list[str]) -> tuple[Both, float, int]:
    """Seconds of one daily update of all tickers, the GB that it had resident at most, and how many fits it made."""
    write_bars(bars, tickers, _SESSIONS)
    before = n_fits(home)
    took, peak = measured([PROGRAM, "forecast", "--csv-dir", str(bars)], home)
    return took, peak, n_fits(home) - before


def prepare(trained: Path, folder: Path, n: int) -> tuple[Path, Path, list[str]]:
    """A home with `n` tickers whose newest session is still to come."""
    home, bars, tickers = folder / "home", folder / "csv", names(n)
    shutil.copytree(trained, home, symlinks=True)
    write_bars(bars, tickers, _SESSIONS - 1)
    copy_tickers(home, tickers[1:])
    return home, bars, tickers


def compare(folder: Path, sizes: list[int]) -> None:
    trained, bars, kept = folder / "trained", folder / "csv", folder / "kept"
    write_bars(bars, [TRAINED], _SESSIONS - 1)
    timed([PROGRAM, "run", "--ticker", TRAINED, "--csv-dir", str(bars)], trained)
    export(trained, kept)
    each: dict[int, Both] = {}
    resident: dict[int, float] = {}
    for n in sizes:
        with tempfile.TemporaryDirectory(dir=folder) as below:
            home, csv, tickers = prepare(trained, Path(below), n)
            script = [sys.executable, "-m", "benchmarks.daily", "--home", str(home), "--kept", str(kept), str(n)]
            is_first = n == sizes[0]
            loops = [timed(script, home)] if is_first else []
            ours, resident[n], made = update(home, csv, tickers)
            loops += [timed(script, home)] if is_first else []
        print(f"{n} tickers                                        seconds  processor")
        show("daily update, one Dagster run", ours, 1)
        each[n] = ours / n
        if is_first:
            show("a person's loop, mean of before and after", sum(loops) / 2, 1)
            ratio = ours / (sum(loops) / 2)
            show("ratio", ratio, 2, verdict(ratio[1], BUDGET))
        else:
            growth = each[n] / each[sizes[0]]
            show(f"each ticker over one of {sizes[0]}", growth, 2, verdict(growth[1], GROWTH))
        show_memory(n, resident)
        print(f"{'fits made (must be 0)':<44} {made:9d}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", type=int, nargs="*", default=[100, 500, 2000], help="tickers; the first is compared")
    parser.add_argument("--home", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--kept", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.home:
        loop(given.home, given.kept, names(given.sizes[0]))
        return
    with tempfile.TemporaryDirectory() as folder:
        compare(Path(folder), given.sizes)


if __name__ == "__main__":
    main()
