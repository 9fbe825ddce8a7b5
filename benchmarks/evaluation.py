"""Scores of a universe: every metric and test, then the bootstrap intervals and confidence sets.

`python -m benchmarks.evaluation [--tickers 500] [--sessions 1260] [--models 8]`. Budgets, on two cores: point metrics,
Clark–West and Diebold–Mariano of all models in 30 s, everything resampled in 5 min. Both parts are of `evaluate`, the
function behind the asset, ticker by ticker in one process: with the resampled figures at hand, as on a day without new
rows, and from nothing. Making the simulated predictions is not counted.
"""

import argparse
import json
import time

import numpy as np
import pandas as pd

from stock_assets.forecasting.evaluation import evaluate
from stock_assets.forecasting.intervals import LEVELS
from stock_assets.forecasting.models import BENCHMARK

BUDGET_POINTS, BUDGET_RESAMPLED = 30.0, 300.0


def simulate(ticker: int, n_sessions: int, n_models: int) -> pd.DataFrame:
    """Walk-forward predictions of models that mostly guess, the random walk among them."""
    rng = np.random.default_rng(ticker)
    volatility = 0.01 * np.exp(0.3 * rng.standard_normal(n_sessions))
    actual = volatility * rng.standard_normal(n_sessions)
    close = 100 * np.exp(np.cumsum(actual) - actual)
    sessions = pd.bdate_range("2015-01-01", periods=n_sessions + 1)
    frames = []
    for model in range(n_models):
        said = (
            0.0 * actual if model == 0 else 0.002 * rng.standard_normal(n_sessions) + 0.01 * model * actual / n_models
        )
        frame = {
            "ticker": f"T{ticker:03d}",
            "model": BENCHMARK if model == 0 else f"m{model}",
            "scheme": "walk_forward",
            "fold": "wf_00",
            "target_session": sessions[1:],
            "session": sessions[:-1],
            "role": "test",
            "predicted_log_return": said,
            "actual_log_return": actual,
            "volatility": volatility,
            "predicted": close * np.exp(said),
            "actual": close * np.exp(actual),
            "naive": close,
        }
        for level in LEVELS:
            half = volatility * level / 50
            frame |= {f"lower_{level}": close * np.exp(said - half), f"upper_{level}": close * np.exp(said + half)}
        frames.append(pd.DataFrame(frame))
    return pd.concat(frames, ignore_index=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tickers", type=int, default=500)
    parser.add_argument("--sessions", type=int, default=1260)
    parser.add_argument("--models", type=int, default=8)
    given = parser.parse_args()
    everything, points = np.zeros(2), np.zeros(2)
    for ticker in range(given.tickers):
        predictions = simulate(ticker, given.sessions, given.models)
        began = _now()
        table = evaluate(predictions, scale_mae=1.0)
        between = _now()
        evaluate(predictions, scale_mae=1.0, earlier=table)
        points += _now() - between
        everything += between - began
    resampled = everything - points
    figures = {
        "benchmark": "evaluation",
        "tickers": given.tickers,
        "sessions": given.sessions,
        "models": given.models,
        "points_s": round(points[0], 1),
        "points_processor_s": round(points[1], 1),
        "points_budget_s": BUDGET_POINTS,
        "resampled_s": round(resampled[0], 1),
        "resampled_processor_s": round(resampled[1], 1),
        "resampled_budget_s": BUDGET_RESAMPLED,
    }
    print(json.dumps(figures))
    print(f"{given.tickers} tickers × {given.sessions} sessions × {given.models} models, one process")
    for what, seconds, budget in (
        ("point metrics, Clark–West and Diebold–Mariano", points, BUDGET_POINTS),
        ("bootstrap intervals and confidence sets", resampled, BUDGET_RESAMPLED),
    ):
        print(f"{what}: {seconds[0]:.1f} s, {seconds[1]:.1f} s of a processor (budget {budget:.0f} s)")


def _now() -> np.ndarray:
    """Wall and processor seconds; they differ where other work shares the cores."""
    return np.array([time.perf_counter(), time.process_time()])


if __name__ == "__main__":
    main()
