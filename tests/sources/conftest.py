"""Bars that several source tests share."""

from datetime import date

import pandas as pd
import pytest

from tests.sources.known_bars import bars_known_on


@pytest.fixture
def a_year() -> pd.DataFrame:
    """2023 with four dividends and a 4:1 split."""
    return bars_known_on(
        date(2023, 12, 29),
        dividends={date(2023, month, 10): 0.24 for month in (2, 5, 8, 11)},
        splits={date(2023, 6, 15): 4.0},
    )
