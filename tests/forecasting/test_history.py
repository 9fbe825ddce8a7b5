import numpy as np
import pandas as pd
import pytest

from stock_assets.forecasting.features import WARM_UP, compute_features
from stock_assets.forecasting.history import build_history, training_window
from stock_assets.forecasting.models._tabular import training_table
from tests.synthetic import garch_bars


@pytest.fixture(scope="module")
def history() -> pd.DataFrame:
    bars = garch_bars("AAPL", 600, seed=5)
    return build_history(bars, compute_features(bars))


def test_the_window_of_the_first_fold_is_the_history_as_it_is(history: pd.DataFrame) -> None:
    window = training_window(history, WARM_UP, 400, lead=WARM_UP)
    pd.testing.assert_frame_equal(window, history.iloc[:401])


@pytest.mark.parametrize("first", [WARM_UP, 200])
def test_a_model_that_learns_from_every_complete_row_learns_from_the_window_alone(
    history: pd.DataFrame, first: int
) -> None:
    window = training_window(history, first, 449, lead=WARM_UP)
    table = training_table(window, "log_return")
    assert len(table.labels) == 449 - first + 1
    np.testing.assert_array_equal(table.labels, history["target_log_return"].iloc[first:450])
    assert window["session"].iloc[0] == history["session"].iloc[first - WARM_UP]
    assert window["close"].notna().all()


def test_the_history_is_not_changed(history: pd.DataFrame) -> None:
    before = history.copy()
    training_window(history, 200, 449, lead=WARM_UP)
    pd.testing.assert_frame_equal(history, before)


def test_without_a_lead_nothing_is_taken_away(history: pd.DataFrame) -> None:
    window = training_window(history, 100, 300, lead=0)
    pd.testing.assert_frame_equal(window, history.iloc[100:301].reset_index(drop=True))
