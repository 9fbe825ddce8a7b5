"""The lineage over the same `fit` calls in one bare process: `python -m benchmarks.lineage`.

Default settings and imports on both sides; ours makes features, predictions, ensembles, scores, a champion, forecasts
and a published database as well, and tracks every fit in MLflow. First for AAPL on the bundled bars, then for 20
simulated tickers in one run; the bare process is measured with one and with three tickers, and the 20 are reckoned from
them, for it does one after the other. Budgets: 0.85 × for one ticker and 0.6 × for 20, by the clock on two cores.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.processes import PROGRAM, Both, timed

ONE, MANY = 0.85, 0.6


def fit_everything(histories: list[pd.DataFrame]) -> None:
    """The fits that a run makes, and nothing else: inner folds, evaluated, final, of every model."""
    from stock_assets.forecasting.features import compute_features
    from stock_assets.forecasting.history import build_history
    from stock_assets.forecasting.models import discover
    from stock_assets.forecasting.splits import holdout_splits, roles
    from stock_assets.forecasting.training import inner_folds

    for prices in histories:
        features = compute_features(prices)
        role = prices["session"].map(roles(holdout_splits(features)))
        history = build_history(prices, features)
        train = np.flatnonzero(role == "train")
        labelled = np.flatnonzero((role != "purged") & history["target_log_return"].notna() & role.notna())
        for model in discover().values():
            forecaster = model()
            for rows in (*(learn for learn, _ in inner_folds(train, forecaster)), train, labelled):
                forecaster.fit(history.iloc[: rows[-1] + 1])


def bundled() -> pd.DataFrame:
    from datetime import UTC, date, datetime

    from stock_assets.forecasting.sessions import lookback_start
    from stock_assets.sources import open_source

    end = date(2013, 3, 1)
    bars = open_source("sample").fetch("AAPL", lookback_start(end, "5y"), end, now=datetime.now(UTC)).frame
    return bars.assign(ticker="AAPL")


def simulated(number: int) -> pd.DataFrame:
    """1,260 GARCH sessions on New York's days."""
    from exchange_calendars import get_calendar

    from tests.synthetic import garch_bars

    sessions = get_calendar("XNYS", start="2015-01-02", end="2022-12-30").sessions[:1260]
    return garch_bars(f"T{number:02d}", 1260, seed=number).assign(session=sessions.to_numpy())


def write_csv(folder: Path, tickers: int) -> None:
    folder.mkdir(exist_ok=True)
    for number in range(tickers):
        bars = simulated(number)
        frame = pd.DataFrame({name: bars[name.lower()] for name in ("Open", "High", "Low", "Close", "Volume")})
        frame.insert(0, "Date", bars["session"].dt.strftime("%Y-%m-%d"))
        frame.assign(**{"Adj Close": bars["adj_close"]}).to_csv(folder / f"T{number:02d}.csv", index=False)


def show(name: str, both: Both, remark: str = "") -> None:
    print(f"{name:<46} {both[0]:8.1f} {both[1]:10.1f}{remark}", flush=True)


def compare(name: str, ours: Both, theirs: Both, budget: float) -> None:
    show(f"lineage, {name}", ours)
    show("the same fits in one bare process", theirs)
    ratio = ours / theirs
    verdict = "held" if ratio[0] <= budget else "missed"
    print(f"{'ratio':<46} {ratio[0]:8.2f} {ratio[1]:10.2f}   (budget {budget} by the clock: {verdict})", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--bare", help=argparse.SUPPRESS)
    parser.add_argument("--tickers", type=int, default=20, help="tickers of the second comparison; 0: leave it out")
    given = parser.parse_args()
    if given.bare:
        fit_everything([bundled()] if given.bare == "AAPL" else [simulated(n) for n in range(int(given.bare))])
        return
    bare = [sys.executable, "-m", "benchmarks.lineage", "--bare"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        print(f"{'':<46} {'seconds':>8} {'processor':>10}")
        theirs = timed([*bare, "AAPL"], folder / "none")
        ours = timed([PROGRAM, "run", "--ticker", "AAPL", "--source", "sample"], folder / "one")
        compare("AAPL, default settings", ours, theirs, ONE)
        if given.tickers:
            write_csv(folder / "csv", given.tickers)
            one, three = (timed([*bare, str(n)], folder / "none") for n in (1, 3))
            reckoned = one + (three - one) / 2 * (given.tickers - 1)
            chosen = [part for number in range(given.tickers) for part in ("--ticker", f"T{number:02d}")]
            ours = timed([PROGRAM, "run", *chosen, "--csv-dir", str(folder / "csv")], folder / "many")
            compare(f"{given.tickers} tickers in one run", ours, reckoned, MANY)


if __name__ == "__main__":
    main()
