"""Homes with made-up rows, published through the real storage: quick, and with whatever a view must show."""

from pathlib import Path

import numpy as np
import pandas as pd

from storage.lake import Lake
from storage.publisher import Publisher
from tests.storage.frames import rows

N_SESSIONS = 70
LEVELS = (50, 80, 90, 95)
MODELS = ("random_walk", "sarima")


def publish(home: Path) -> Path:
    """Publish what was written and give the home."""
    Publisher(home).publish()
    return home


def add_ticker(home: Path, ticker: str = "AAPL", *, source: str = "yahoo") -> Lake:
    """A ticker with bars of some sessions, and the lake to write more of it."""
    lake = Lake(home / "lake")
    lake.write("tickers", rows("tickers", 1, ticker=ticker, currency="USD", source=source), ticker=ticker)
    lake.write("prices", rows("prices", 5, ticker=ticker, source=source), ticker=ticker)
    return lake


def add_forecasts(lake: Lake, ticker: str = "AAPL", *, is_live: bool = True, source: str = "yahoo") -> pd.DataFrame:
    """Forecasts of two models for many sessions, none scored; the random walk is the champion."""
    sessions = pd.bdate_range("2024-01-01", periods=N_SESSIONS + 1)
    closes = 100 + np.random.default_rng(0).normal(0, 1, len(sessions)).cumsum()
    made = []
    for model in MODELS:
        frame = rows("forecasts", N_SESSIONS, ticker=ticker, model=model, is_live=is_live, source=source)
        frame = frame.assign(
            forecast_id=[f"{ticker}-{model}-{i}" for i in range(N_SESSIONS)],
            as_of_session=sessions[:-1],
            target_session=sessions[1:],
            naive=closes[:-1],
            predicted=closes[:-1] + (0.1 if model == "sarima" else 0.0),
            is_champion=model == "random_walk",
        )
        made.append(frame.assign(lower_90=closes[:-1] - 1.6, upper_90=closes[:-1] + 1.6))
    forecasts = pd.concat(made, ignore_index=True)
    lake.append("forecasts", forecasts)
    return forecasts


def score(lake: Lake, forecasts: pd.DataFrame) -> pd.DataFrame:
    """Scores of the forecasts, but for each model's newest, whose close is the next one's `naive`."""
    actual = forecasts.groupby("model")["naive"].shift(-1)
    known = forecasts[actual.notna()].reset_index(drop=True)
    actual = actual.dropna().to_numpy()
    scores = rows("forecast_scores", len(known)).assign(
        **{name: known[name] for name in ("forecast_id", "ticker", "model", "target_session")},
        actual=actual,
        error=known["predicted"] - actual,
        inside_90=(actual >= known["lower_90"]) & (actual <= known["upper_90"]),
    )
    lake.append("forecast_scores", scores)
    return scores


def add_calibration(lake: Lake, *kinds: tuple[str, str], ticker: str = "AAPL") -> None:
    """Coverage of two models at every level over rows of these schemes and roles."""
    made = [
        rows("calibration", len(LEVELS), ticker=ticker, model=model, scheme=scheme, role=role).assign(
            level=LEVELS, coverage=np.array(LEVELS) / 100 - 0.02, n=200,
            coverage_lower=np.array(LEVELS) / 100 - 0.06, coverage_upper=np.array(LEVELS) / 100 + 0.01,
        )
        for model in MODELS
        for scheme, role in kinds
    ]  # fmt: skip
    lake.write("calibration", pd.concat(made, ignore_index=True), ticker=ticker)
