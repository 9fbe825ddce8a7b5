"""How good the intervals are: coverage and pinball loss on the bundled bars, and coverage on simulated GARCH bars.

Windows: all 1,256 sessions long, `--step` apart, of the bundled AAPL, IBM, MSFT and GOOG; each model is trained and
asked as in a run (80/10/10) and scored on validation and test rows. Simulated bars are GARCH(1,1): volatility changes.

    coverage        share of closes inside, pooled over all rows of all windows
    pinball ratio   pinball loss of both ends over that of a random walk with the quantiles of all earlier returns
    spread          standard deviation over windows of their own coverage
    calm, restless  coverage in each window's third of rows with the lowest and the highest forecast volatility
    fixed           the same calibration without the adaptive correction

    python -m benchmarks.intervals [--models random_walk,xgboost] [--step 250] [--simulated 40] [--until 2009-06-30]
"""

import argparse
import tempfile
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.forecasting.calibration import unconditional_quantiles
from stock_assets.forecasting.features import compute_features
from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.intervals import LEVELS
from stock_assets.forecasting.models import discover
from stock_assets.forecasting.predictions import predict_all
from stock_assets.forecasting.splits import holdout_splits
from stock_assets.forecasting.training import train
from stock_assets.sources.sample import FIRST_SESSION, LAST_SESSION, SampleSource
from tests.synthetic import garch_bars

TICKERS = ("AAPL", "IBM", "MSFT", "GOOG")
LENGTH = 1256
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def main() -> None:
    options = _parse_arguments()
    for name in options.models:
        for title, windows in (
            (f"bundled bars, {options.since:%Y-%m-%d} to {options.until:%Y-%m-%d}", _bundled(options)),
            ("simulated GARCH", (garch_bars("GARCH", LENGTH, seed=n) for n in range(options.simulated))),
        ):
            rows = pd.concat([_predict(name, bars).assign(window=n) for n, bars in enumerate(windows)])
            print(f"\n{name}, {title}: {rows['window'].nunique()} windows, {len(rows)} rows")
            table = pd.DataFrame([_summary(rows, level) for level in LEVELS])
            print(table.to_markdown(index=False, floatfmt=".3f"))


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--models", type=lambda text: text.split(","), default=["random_walk", "xgboost"])
    parser.add_argument("--step", type=int, default=250, help="sessions between the starts of two windows")
    parser.add_argument("--simulated", type=int, default=40, help="simulated tickers")
    parser.add_argument("--since", type=pd.Timestamp, default=pd.Timestamp(FIRST_SESSION), help="first bar used")
    parser.add_argument("--until", type=pd.Timestamp, default=pd.Timestamp(LAST_SESSION), help="last bar used")
    return parser.parse_args()


def _bundled(options: argparse.Namespace) -> Iterator[pd.DataFrame]:
    for ticker in TICKERS:
        bars = SampleSource().fetch(ticker, FIRST_SESSION, LAST_SESSION, now=NOW).frame
        bars = bars[bars["session"].between(options.since, options.until)]
        for start in range(0, len(bars) - LENGTH + 1, options.step):
            part = bars.iloc[start : start + LENGTH].reset_index(drop=True)
            yield part.assign(ticker=ticker, source="sample", is_final=True)


def _predict(name: str, bars: pd.DataFrame) -> pd.DataFrame:
    """Scored rows of one window, with the ends of the random walk's and of the uncorrected intervals beside them."""
    features = compute_features(bars)
    history, splits = build_history(bars, features), holdout_splits(features)
    ticker = bars["ticker"].iloc[0]
    with tempfile.TemporaryDirectory() as folder:
        store = ArtifactStore(Path(folder))
        trained = train(discover()[name](), history, splits, ticker=ticker, store=store, now=lambda: NOW)
    rows = predict_all(trained, history, splits, ticker=ticker, calendar="XNYS")
    rows = rows[rows["actual"].notna()].reset_index(drop=True)
    walk = unconditional_quantiles(bars, rows["session"]).reset_index(drop=True).add_prefix("walk_")
    fixed = {}
    for level in LEVELS:
        half = trained.evaluated.calibration.quantile(level) * rows["volatility"]
        fixed[f"fixed_lower_{level}"] = rows["predicted"] * np.exp(-half)
        fixed[f"fixed_upper_{level}"] = rows["predicted"] * np.exp(half)
    third = rows["volatility"].rank(pct=True).mul(3).clip(upper=2.999).astype(int).rename("third")
    walk = np.exp(walk).mul(rows["naive"], axis=0)
    return pd.concat([rows, walk, pd.DataFrame(fixed), third], axis=1)


def _summary(rows: pd.DataFrame, level: int) -> dict[str, Any]:
    inside = rows["actual"].between(rows[f"lower_{level}"], rows[f"upper_{level}"])
    fixed = rows["actual"].between(rows[f"fixed_lower_{level}"], rows[f"fixed_upper_{level}"])
    ours, walk = _losses(rows, level, str), _losses(rows, level, "walk_{}".format)
    return {
        "level": level,
        "coverage": inside.mean(),
        "fixed": fixed.mean(),
        "spread": inside.groupby(rows["window"]).mean().std(),
        "fixed spread": fixed.groupby(rows["window"]).mean().std(),
        "calm": inside[rows["third"] == 0].mean(),
        "restless": inside[rows["third"] == 2].mean(),
        "pinball ratio": ours.sum() / walk.sum(),
        "fixed pinball ratio": _losses(rows, level, "fixed_{}".format).sum() / walk.sum(),
        "rows capped": float((rows["capped"] > 0).mean()),
    }


def _losses(rows: pd.DataFrame, level: int, column: Callable[[str], str]) -> "pd.Series[float]":
    """Pinball loss of both ends in units of the close, which differs between tickers by a factor of fifty."""
    losses = pd.Series(0.0, index=rows.index)
    for side, probability in (("lower", (100 - level) / 200), ("upper", (100 + level) / 200)):
        miss = (rows["actual"] - rows[column(f"{side}_{level}")]) / rows["naive"]
        losses += np.maximum(probability * miss, (probability - 1) * miss)
    return losses


if __name__ == "__main__":
    main()
