"""What the intervals promise, on whole tickers through the real training and prediction code."""

from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.forecasting.calibration import unconditional_quantiles
from stock_assets.forecasting.features import compute_features
from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.metrics import pinball
from stock_assets.forecasting.models.random_walk import RandomWalk
from stock_assets.forecasting.predictions import predict_all
from stock_assets.forecasting.splits import holdout_splits
from stock_assets.forecasting.training import train
from stock_assets.sources.sample import FIRST_SESSION, LAST_SESSION, SampleSource
from tests.synthetic import garch_bars

NOW = datetime(2026, 1, 5, tzinfo=UTC)
TICKERS = ("AAPL", "IBM", "MSFT", "GOOG")

pytestmark = pytest.mark.slow


def scored_rows(bars: pd.DataFrame, folder: Path) -> pd.DataFrame:
    """Validation and test rows of a random walk, with the ends of the unconditional quantiles beside them."""
    features = compute_features(bars)
    history, splits = build_history(bars, features), holdout_splits(features)
    ticker = bars["ticker"].iloc[0]
    trained = train(RandomWalk(), history, splits, ticker=ticker, store=ArtifactStore(folder), now=lambda: NOW)
    rows = predict_all(trained, history, splits, ticker=ticker, calendar="XNYS")
    rows = rows[rows["fold"] == "holdout"].reset_index(drop=True)
    walk = unconditional_quantiles(bars, rows["session"]).reset_index(drop=True).add_prefix("walk_")
    return rows.join(np.exp(walk).mul(rows["naive"], axis=0))


def coverage(rows: pd.DataFrame, level: int) -> float:
    return float(rows["actual"].between(rows[f"lower_{level}"], rows[f"upper_{level}"]).mean())


def test_where_volatility_changes_coverage_is_within_two_points(tmp_path: Path) -> None:
    parts = [scored_rows(garch_bars(f"G{seed}", 1256, seed=100 + seed), tmp_path) for seed in range(12)]
    rows = pd.concat(parts)
    assert len(rows) > 2800
    assert coverage(rows, 80) == pytest.approx(0.80, abs=0.02)
    assert coverage(rows, 95) == pytest.approx(0.95, abs=0.02)


def test_on_real_bars_ninety_per_cent_is_ninety_and_the_loss_is_below_an_unconditional_random_walks(
    tmp_path: Path,
) -> None:
    parts = []
    for ticker in TICKERS:
        bars = SampleSource().fetch(ticker, FIRST_SESSION, LAST_SESSION, now=NOW).frame.assign(ticker=ticker)
        for number, window in enumerate((bars.iloc[-1256:], bars.iloc[-1756:-500])):
            parts.append(scored_rows(window.reset_index(drop=True), tmp_path / f"{ticker}{number}"))
    rows = pd.concat(parts)
    assert len(rows) > 1000
    assert 0.87 <= coverage(rows, 90) <= 0.93
    for level in (50, 80, 90, 95):
        low, high = (100 - level) / 200, (100 + level) / 200
        actual = rows["actual"] / rows["naive"]
        ours, theirs = (
            pinball(actual, rows[f"{side}lower_{level}"] / rows["naive"], low)
            + pinball(actual, rows[f"{side}upper_{level}"] / rows["naive"], high)
            for side in ("", "walk_")
        )
        assert ours <= 1.01 * theirs
