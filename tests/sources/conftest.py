"""Bars that several source tests share, and the Yahoo source as tests ask it."""

import random
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from stock_assets.sources.base import Bars
from stock_assets.sources.yahoo import Backoff, YahooSource
from tests.sources.known_bars import bars_known_on

LATER = datetime(2024, 1, 10, tzinfo=UTC)


@pytest.fixture
def a_year() -> pd.DataFrame:
    """2023 with four dividends and a 4:1 split."""
    return bars_known_on(
        date(2023, 12, 29),
        dividends={date(2023, month, 10): 0.24 for month in (2, 5, 8, 11)},
        splits={date(2023, 6, 15): 4.0},
    )


@pytest.fixture(scope="session")
def cache_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("yfinance")


@pytest.fixture
def waits() -> list[float]:
    return []


@pytest.fixture
def ask(cache_dir: Path, waits: list[float]) -> Any:
    def ask(
        url: str,
        *,
        ticker: str = "AAPL",
        now: datetime = datetime(2024, 1, 10, tzinfo=UTC),
        timeout: float = 5.0,
        **settings: Any,
    ) -> Bars:
        source = YahooSource(
            base_url=url,
            cache_dir=cache_dir,
            timeout=timeout,
            sleep=waits.append,
            rng=random.Random(1),  # noqa: S311  (jitter of waits that nobody sleeps)
            **{"backoff": Backoff(attempts=3, first_wait=2.0), **settings},
        )
        return source.fetch(ticker, date(2023, 1, 1), date(2023, 12, 31), now=now)

    return ask
