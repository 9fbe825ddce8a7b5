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


@pytest.fixture
def live(lake: Lake, publisher: Publisher) -> pd.DataFrame:
    """80 live forecasts of two models, all but the last scored; one is scored again after its bar was corrected."""
    rng = np.random.default_rng(1)
    sessions = pd.bdate_range("2024-01-01", periods=80)
    parts = []
    for model in ("random_walk", "sarima"):
        made = rows("forecasts", 80, model=model, target_session=sessions, as_of_session=sessions, is_live=True)
        made = made.assign(forecast_id=[f"{model}-{i}" for i in range(80)], naive=rng.normal(100, 1, 80))
        made["predicted"] = made["naive"] + (rng.normal(0, 0.2, 80) if model == "sarima" else 0.0)
        actual = rng.normal(100, 1, 80)
        scores = rows("forecast_scores", 79, model=model, forecast_id=made["forecast_id"][:79])
        scores = scores.assign(target_session=sessions[:79], actual=actual[:79], inside_90=rng.random(79) < 0.9)
        scores["error"] = made["predicted"][:79] - actual[:79]
        again = scores.iloc[[40]].assign(scored_at=scores["scored_at"].max() + pd.Timedelta(days=1), error=9.0)
        lake.append("forecasts", made)
        lake.append("forecast_scores", scores)
        lake.append("forecast_scores", again)
        scores.loc[40, "error"] = 9.0
        parts.append(scores.assign(naive=made["naive"][:79]))
    publisher.publish()
    return pd.concat(parts)


def test_live_performance_agrees_with_rolling_windows_of_pandas(live: pd.DataFrame, publisher: Publisher) -> None:
    with Reader(publisher.home) as reader:
        view = reader.frame("FROM live_performance", [])
    assert len(view) == 2 * 79
    for model, own in live.groupby("model"):
        shown = view[view["model"] == model].reset_index(drop=True)
        own = own.sort_values("target_session", ignore_index=True)
        of_model = (own["error"] ** 2).rolling(60, min_periods=1).mean()
        of_random_walk = ((own["naive"] - own["actual"]) ** 2).rolling(60, min_periods=1).mean()
        assert shown["skill_vs_naive"].to_numpy() == pytest.approx((1 - np.sqrt(of_model / of_random_walk)).to_numpy())
        covered = own["inside_90"].astype(float).rolling(60, min_periods=1).mean()
        assert shown["coverage_90"].to_numpy() == pytest.approx(covered.to_numpy())
        assert shown["n"].tolist() == [min(i + 1, 60) for i in range(79)]


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
