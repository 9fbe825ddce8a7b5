from datetime import date

import numpy as np
import pandas as pd
import pytest

from stock_assets.forecasting.bars import first_invalid_bar
from tests.sources.known_bars import bars_known_on


@pytest.mark.parametrize(
    ("row", "column", "value", "message"),
    [
        (3, "close", np.nan, "nan on 2023-01-06; expected a positive number"),
        (3, "open", 0.0, "0 on 2023-01-06; expected a positive number"),
        (3, "adj_close", -1.0, "-1 on 2023-01-06; expected a positive number"),
        (3, "high", np.inf, "inf on 2023-01-06; expected a positive number"),
        (3, "volume", -1.0, "-1 on 2023-01-06; expected a number that is not negative"),
        (3, "high", 1.0, "1 on 2023-01-06 is below the low"),
        (3, "session", pd.Timestamp("2023-01-03"), "2023-01-03 is there twice"),
    ],
)
def test_the_first_bar_that_cannot_be_true_is_named(row: int, column: str, value: float, message: str) -> None:
    bars = bars_known_on(date(2023, 6, 1))
    bars.loc[row, column] = value

    found = first_invalid_bar(bars)

    assert found is not None
    assert (found.position, found.column) == (row, column)
    assert found.problem.startswith(message)


def test_good_bars_are_valid() -> None:
    assert first_invalid_bar(bars_known_on(date(2023, 6, 1))) is None
