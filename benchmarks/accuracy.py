"""How good the models are beside the random walk: real windows without much signal, and planted signals.

Windows: all 1,256 sessions long, 500 apart, of the bundled AAPL, IBM, MSFT and GOOG, written as CSV files in Yahoo's
format and read back through the `csv` source. Each model is trained as in a run (80/10/10) and scored on the test rows:

    ratio      test RMSE over the random walk's on the same rows, in dollars
    cover 90   share of all test rows inside the 90 % interval
    width      mean width of that interval over the width of the 5 % to 95 % quantiles of the training returns
    AR(1)      share of the gain in squared error of the true conditional mean that is recovered, n = 5,000

    python -m benchmarks.accuracy [--models random_walk,xgboost] [--windows 17] [--fast] [--jobs 2] [--cache FILE]
                                  [--json FILE]

Results are kept in the cache by model, code and case, so an interrupted run goes on where it stopped.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stock_assets.forecasting.addresses import code_version
from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.forecasting.features import compute_features
from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.manifest import digest
from stock_assets.forecasting.models import BENCHMARK, discover
from stock_assets.forecasting.predictions import predict_all
from stock_assets.forecasting.splits import holdout_splits, roles
from stock_assets.forecasting.training import train
from stock_assets.sources.csv import CsvSource
from stock_assets.sources.sample import FIRST_SESSION, LAST_SESSION, SampleSource
from tests.synthetic import ar1_bars

TICKERS = ("AAPL", "IBM", "MSFT", "GOOG")
LENGTH, STEP = 1256, 500
PLANTED = ((1, 0.05), (2, 0.05), (1, 0.10), (2, 0.10))  # seed, R²
NOW = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Case:
    """One series: a window of a ticker's bars, or an AR(1) where `r_squared` is not 0."""

    ticker: str
    start: int
    r_squared: float = 0.0


def main() -> None:
    options = _parse_arguments()
    cases = [*_windows()[: options.windows], *(Case("AR1", seed, r_squared) for seed, r_squared in PLANTED)]
    results = list(_results(options, cases))
    frame = pd.DataFrame(results)
    table = pd.DataFrame([_summary(name, frame[frame["model"] == name]) for name in options.models])
    print(table.to_markdown(index=False, floatfmt=".4f"))
    if options.json:
        options.json.write_text(json.dumps({"summary": table.to_dict("records"), "cases": results}, indent=1))


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=lambda text: text.split(","), default=list(discover()))
    parser.add_argument("--windows", type=int, default=17, help="use the first N of the 17")
    parser.add_argument("--fast", action="store_true", help="small model settings")
    parser.add_argument("--jobs", type=int, default=1, help="processes")
    parser.add_argument("--cache", type=Path, default=Path("build/accuracy.jsonl"))
    parser.add_argument("--json", type=Path, help="write summary and cases to this file as well")
    options = parser.parse_args()
    unknown = sorted(set(options.models) - set(discover()))
    if unknown:
        parser.error(f"unknown models {', '.join(unknown)}; expected some of {', '.join(discover())}")
    return options


def _windows() -> list[Case]:
    return [Case(ticker, start) for ticker in TICKERS for start in range(0, len(_sample(ticker)) - LENGTH + 1, STEP)]


def _sample(ticker: str) -> pd.DataFrame:
    return SampleSource().fetch(ticker, FIRST_SESSION, LAST_SESSION, now=NOW).frame


def _results(options: argparse.Namespace, cases: list[Case]) -> Iterator[dict[str, Any]]:
    options.cache.parent.mkdir(parents=True, exist_ok=True)
    lines = options.cache.read_text().splitlines() if options.cache.exists() else []
    known = {line["address"]: line for line in map(json.loads, lines)}
    todo = []
    for name in options.models:
        for case in cases:
            address = _address(name, case, options.fast)
            if address in known:
                yield known[address]
            else:
                todo.append((name, case, options.fast, address))
    # A fresh interpreter for each worker: TensorFlow and PyTorch do not survive a fork.
    with ProcessPoolExecutor(options.jobs, mp_context=get_context("spawn")) as pool, options.cache.open("a") as cache:
        for done in as_completed([pool.submit(_measure, *work) for work in todo]):
            result = done.result()
            print(json.dumps(result), file=cache, flush=True)
            yield result


def _address(name: str, case: Case, fast: bool) -> str:
    forecaster = discover()[name].fast() if fast else discover()[name]()
    return digest([name, forecaster.settings(), code_version(forecaster), asdict(case)])


def _measure(name: str, case: Case, fast: bool, address: str) -> dict[str, Any]:
    bars = ar1_bars("AR1", 5000, seed=case.start, r_squared=case.r_squared) if case.r_squared else _window(case)
    features = compute_features(bars)
    history, splits = build_history(bars, features), holdout_splits(features)
    forecaster = discover()[name].fast() if fast else discover()[name]()
    with tempfile.TemporaryDirectory() as folder:
        store = ArtifactStore(Path(folder))
        trained = train(forecaster, history, splits, ticker=case.ticker, store=store, now=lambda: NOW)
    predictions = predict_all(trained, history, splits, ticker=case.ticker, calendar="XNYS")
    test = predictions[predictions["role"] == "test"]
    scores = _gain(test, history, case) if case.r_squared else _scores(test, history, splits)
    return {"address": address, "model": name, **asdict(case), "shrink": trained.evaluated.manifest.shrink, **scores}


def _window(case: Case) -> pd.DataFrame:
    """The bars of a window after a trip through a CSV file."""
    bars = _sample(case.ticker).iloc[case.start : case.start + LENGTH]
    table = pd.DataFrame(
        {
            "Date": bars["session"].dt.strftime("%Y-%m-%d"),
            "Open": bars["open"],
            "High": bars["high"],
            "Low": bars["low"],
            "Close": bars["close"],
            "Adj Close": bars["adj_close"],
            "Volume": bars["volume"],
        }
    )
    with tempfile.TemporaryDirectory() as folder:
        table.to_csv(Path(folder) / f"{case.ticker}.csv", index=False)
        read = CsvSource(Path(folder)).fetch(case.ticker, FIRST_SESSION, LAST_SESSION, now=NOW).frame
    return read.assign(ticker=case.ticker, source="csv", is_final=True)


def _scores(test: pd.DataFrame, history: pd.DataFrame, splits: pd.DataFrame) -> dict[str, Any]:
    role = roles(splits)
    learned = history["target_log_return"][history["session"].isin(role.index[role == "train"])]
    low, high = learned.quantile([0.05, 0.95])
    width = np.log(test["upper_90"] / test["lower_90"])
    return {
        "ratio": _rmse(test["predicted"] - test["actual"]) / _rmse(test["naive"] - test["actual"]),
        "n": len(test),
        "n_inside": int(test["actual"].between(test["lower_90"], test["upper_90"]).sum()),
        "width": float(width.mean() / (high - low)),
    }


def _gain(test: pd.DataFrame, history: pd.DataFrame, case: Case) -> dict[str, Any]:
    known = history.set_index("session")["log_return"].loc[test["session"]].to_numpy()
    actual = test["actual_log_return"].to_numpy()

    def squared_error(predicted: Any) -> float:
        return float(np.mean((actual - predicted) ** 2))

    nothing, best = squared_error(0.0), squared_error(np.sqrt(case.r_squared) * known)
    return {"gain": (nothing - squared_error(test["predicted_log_return"].to_numpy())) / (nothing - best)}


def _rmse(errors: "pd.Series[float]") -> float:
    return float(np.sqrt(np.mean(errors**2)))


def _summary(name: str, rows: pd.DataFrame) -> dict[str, Any]:
    windows, planted = rows[rows["r_squared"] == 0], rows[rows["r_squared"] > 0]
    summary = {
        "model": name,
        "windows": len(windows),
        "median ratio": windows["ratio"].median(),
        "mean ratio": windows["ratio"].mean(),
        "worst ratio": windows["ratio"].max(),
        "mean shrink": windows["shrink"].mean(),
        "cover 90": windows["n_inside"].sum() / windows["n"].sum(),
        "width": windows["width"].mean(),
    }
    for r_squared, part in planted.groupby("r_squared"):
        summary[f"AR(1) R² {r_squared:.0%}"] = np.nan if name == BENCHMARK else part["gain"].mean()
    return summary


if __name__ == "__main__":
    main()
