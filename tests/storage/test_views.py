"""Views that compute something, against a library that computes the same."""

from collections.abc import Iterator

import numpy as np
import pandas as pd
import pytest
from scipy.stats import false_discovery_control

from storage.lake import Lake
from storage.published import Reader
from storage.publisher import Publisher
from tests.storage.frames import rows

N_TICKERS = 40


@pytest.fixture
def reader(lake: Lake, publisher: Publisher) -> Iterator[Reader]:
    """Two models on 40 tickers: one that beats some of them, and one that is never tested."""
    rng = np.random.default_rng(0)
    p_values = np.where(np.arange(N_TICKERS) < 8, 1e-4 * np.arange(N_TICKERS), rng.uniform(size=N_TICKERS))
    p_values[[3, 30]] = p_values[2]  # ties
    p_values[20] = np.nan
    for i, p_value in enumerate(p_values):
        table = rows("evaluation", 3, model=["good", "random_walk", "silent"], role="test", scheme="walk_forward")
        table = table.assign(ticker=f"T{i:02d}", clark_west_p=[p_value, np.nan, np.nan])
        lake.write("evaluation", table, ticker=f"T{i:02d}")
    publisher.publish()
    with Reader(publisher.home) as reader:
        yield reader


def found(reader: Reader, model: str) -> pd.DataFrame:
    return reader.frame("SELECT * FROM discoveries WHERE model = ?", [model])


def test_discoveries_agree_with_scipy(reader: Reader) -> None:
    good = found(reader, "good")
    assert len(good) == N_TICKERS == good["n_tickers"].iloc[0]
    expected = false_discovery_control(good["clark_west_p"].fillna(1))
    assert good["adjusted_p"].to_numpy() == pytest.approx(expected, rel=1e-12)
    assert (good["is_discovery"] == (expected < 0.05)).all()
    assert 0 < good["is_discovery"].sum() < N_TICKERS


def test_a_model_that_could_not_be_tested_discovers_nothing(reader: Reader) -> None:
    silent = found(reader, "silent")
    assert (silent["adjusted_p"] == 1).all()
    assert not silent["is_discovery"].any()


def test_the_random_walk_is_not_tested_against_itself(reader: Reader) -> None:
    assert found(reader, "random_walk").empty
