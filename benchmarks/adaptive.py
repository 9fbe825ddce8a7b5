"""Which correction of the intervals to use: candidates on bundled bars until mid 2009 and on simulated GARCH bars.

The random walk's intervals, in windows of 1,256 sessions, 250 apart, calibrated on the first 80 % and corrected through
the rest. Rows of the bundled bars after mid 2009 played no part in the choice; `--later` shows them. Figures of
docs/adr/0072.

    coverage     share inside, pooled
    spread       standard deviation over windows of their own coverage of the 90 % interval
    local        mean distance of the 90 % interval's coverage over 100 sessions in a row from 90 %
    pinball      pinball loss of both ends over that of the quantiles of all earlier returns, mean over windows
    capped       share of rows with any level at its cap

    python -m benchmarks.adaptive [--simulated 24] [--later]
"""

import argparse
from bisect import insort
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stock_assets.forecasting.calibration import unconditional_quantiles
from stock_assets.forecasting.features import compute_features
from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.intervals import LEVELS, Calibration
from stock_assets.forecasting.metrics import pinball
from stock_assets.forecasting.splits import holdout_splits, roles
from stock_assets.forecasting.volatility import forecast_volatility
from stock_assets.sources.sample import FIRST_SESSION, LAST_SESSION, SampleSource
from tests.synthetic import garch_bars

Floats = NDArray[np.float64]
Correction = Callable[[Floats, Floats], tuple[Floats, Floats]]
TICKERS = ("AAPL", "IBM", "MSFT", "GOOG")
LENGTH, STEP = 1256, 250
LAST_FOR_CHOICE = pd.Timestamp("2009-06-30")
MISSED = 1 - np.array(LEVELS) / 100


@dataclass(frozen=True)
class Window:
    """Scores of a window, and what is needed to price the intervals; arrays of the later rows have shape (n,)."""

    calibration: Floats
    later: Floats
    returns: Floats
    volatility: Floats
    unconditional: pd.DataFrame


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--simulated", type=int, default=24, help="simulated tickers")
    parser.add_argument("--later", action="store_true", help="also the bundled bars that played no part in the choice")
    options = parser.parse_args()
    bundled = list(_bundled())
    cases = {
        "bundled bars until mid 2009": [_window(bars) for bars in bundled if bars["session"].max() < LAST_FOR_CHOICE],
        "simulated GARCH": [
            _window(garch_bars("G", LENGTH, seed=n, alpha=0.1, beta=0.88)) for n in range(options.simulated)
        ],
    }
    if options.later:
        later = [_window(bars) for bars in bundled if bars["session"].max() >= LAST_FOR_CHOICE]
        cases["bundled bars, later"] = later
    for title, windows in cases.items():
        table = pd.DataFrame({name: _summary(correct, windows) for name, correct in CANDIDATES.items()}).T
        print(f"\n{title}: {len(windows)} windows\n{table.round(4).to_markdown()}")


def _bundled() -> Iterable[pd.DataFrame]:
    for ticker in TICKERS:
        bars = SampleSource().fetch(ticker, FIRST_SESSION, LAST_SESSION, now=datetime(2026, 1, 1, tzinfo=UTC)).frame
        for start in range(0, len(bars) - LENGTH + 1, STEP):
            yield bars.iloc[start : start + LENGTH].reset_index(drop=True).assign(ticker=ticker)


def _window(bars: pd.DataFrame) -> Window:
    features = compute_features(bars)
    history = build_history(bars, features)
    role = history["session"].map(roles(holdout_splits(features)))
    train = np.flatnonzero(role == "train")
    calibrate = train[len(train) // 3 :]
    later = np.flatnonzero(role.isin(["purged", "validation", "test"]))
    returns, volatility = history["target_log_return"].to_numpy(), forecast_volatility(history)
    scores = np.abs(returns) / volatility
    quantiles = unconditional_quantiles(bars, history["session"].iloc[later])
    return Window(scores[calibrate], scores[later], returns[later], volatility[later], quantiles)


def fixed(calibration: Floats, later: Floats) -> tuple[Floats, Floats]:
    start = Calibration(tuple(calibration))
    return np.tile([start.quantile(level) for level in LEVELS], (len(later), 1)), np.zeros(len(later))


def rolling(n: int) -> Correction:
    """Quantiles of the last n scores."""

    def correct(calibration: Floats, later: Floats) -> tuple[Floats, Floats]:
        scores = np.concatenate([calibration, later])
        ends = range(len(calibration), len(scores))
        return np.array([_quantiles(sorted(scores[end - n : end]), MISSED)[0] for end in ends]), np.zeros(len(later))

    return correct


def aci(step: float) -> Correction:
    """Adaptive conformal inference on all earlier scores; a width without end is the largest score (the cap)."""

    def correct(calibration: Floats, later: Floats) -> tuple[Floats, Floats]:
        known, missed = sorted(calibration), MISSED.copy()
        rows, capped = [], []
        for number, score in enumerate([*calibration, *later]):
            quantiles, is_endless = _quantiles(known, missed)
            if number >= len(calibration):
                rows.append(quantiles)
                capped.append(is_endless)
                insort(known, score)
            missed = missed + step * (MISSED - (score > quantiles))
        return np.array(rows), np.array(capped, dtype=float)

    return correct


def tracking(step: float) -> Correction:
    """What the intervals do, with another step."""

    def correct(calibration: Floats, later: Floats) -> tuple[Floats, Floats]:
        half_widths, capped = Calibration(tuple(calibration)).half_widths(later, step=step)
        return half_widths, (capped > 0).astype(float)

    return correct


def _quantiles(scores: list[float], missed: Floats) -> tuple[Floats, bool]:
    ranks = np.ceil(np.round((len(scores) + 1) * (1 - missed), 9)).astype(int)
    quantiles = [scores[min(rank, len(scores)) - 1] if rank > 0 else 0.0 for rank in ranks]
    return np.maximum.accumulate(quantiles), bool((ranks > len(scores)).any())


CANDIDATES: dict[str, Correction] = {
    "none": fixed,
    "last 250 scores": rolling(250),
    "last 500 scores": rolling(500),
    **{f"ACI {step}": aci(step) for step in (0.002, 0.005, 0.01, 0.02)},
    **{f"log quantile tracking {step}": tracking(step) for step in (0.01, 0.02, 0.04, 0.08)},
}


def _summary(correct: Correction, windows: list[Window]) -> dict[str, Any]:
    inside, local, ratios, capped = [], [], [], []
    for window in windows:
        half_widths, at_cap = correct(window.calibration, window.later)
        bounds = half_widths * window.volatility[:, None]
        hits = np.abs(window.returns)[:, None] <= bounds
        inside.append(hits)
        local.append(np.abs(pd.Series(hits[:, 2]).rolling(100).mean().dropna() - 0.90).mean())
        ratios.append([_loss_ratio(window, bounds[:, i], level) for i, level in enumerate(LEVELS)])
        capped.append(at_cap.mean())
    coverage = dict(zip(LEVELS, np.concatenate(inside).mean(axis=0), strict=True))
    loss = dict(zip(LEVELS, np.mean(ratios, axis=0), strict=True))
    return {
        **{f"coverage {level}": share for level, share in coverage.items()},
        "spread": np.std([hits[:, 2].mean() for hits in inside]),
        "local": np.mean(local),
        **{f"pinball {level}": ratio for level, ratio in loss.items() if level != 50},
        "capped": np.mean(capped),
    }


def _loss_ratio(window: Window, half: Floats, level: int) -> float:
    low, high = (100 - level) / 200, (100 + level) / 200
    ours = pinball(window.returns, -half, low) + pinball(window.returns, half, high)
    walk = window.unconditional
    theirs = pinball(window.returns, walk[f"lower_{level}"], low) + pinball(
        window.returns, walk[f"upper_{level}"], high
    )
    return ours / theirs


if __name__ == "__main__":
    main()
