"""The reference's protocol: its bars, its rows, its labels where they belong."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from stock_assets.forecasting import replication
from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.forecasting.errors import TooFewRows
from stock_assets.forecasting.replication import choose_bars, replicate
from stock_assets.forecasting.sessions import sessions_between
from tests.synthetic import garch_bars

TESTED = 126  # of 1,256 sessions, the last tenth


def bars_on(sessions: pd.DatetimeIndex, ticker: str = "AAPL") -> pd.DataFrame:
    return garch_bars(ticker, len(sessions), seed=11).assign(session=sessions)


@pytest.fixture(scope="module")
def reference_sessions():
    return sessions_between("XNYS", replication.FIRST_SESSION, replication.LAST_SESSION)


@pytest.fixture(scope="module")
def prices(reference_sessions):
    """Bars whose adjusted close lies a tenth below the close, as after dividends."""
    bars = bars_on(reference_sessions)
    return bars.assign(adj_close=bars["close"] * 0.9)


@pytest.fixture(scope="module")
def found(prices, tmp_path_factory):
    store = ArtifactStore(tmp_path_factory.mktemp("models"))
    return replicate(
        prices,
        ticker="AAPL",
        calendar="XNYS",
        store=store,
        now=lambda: datetime(2026, 1, 2, tzinfo=UTC),
        models=("xgboost",),
    )


def test_the_reference_s_bars_are_found_in_a_longer_history(reference_sessions):
    around = sessions_between("XNYS", pd.Timestamp("2019-01-02").date(), pd.Timestamp("2025-12-31").date())
    chosen, is_reference = choose_bars(bars_on(around), ticker="AAPL")
    assert is_reference
    pd.testing.assert_index_equal(pd.DatetimeIndex(chosen["session"]), reference_sessions, check_names=False)


@pytest.mark.parametrize("change", ["ticker", "gap", "later start"])
def test_other_bars_are_not_taken_for_the_reference_s(reference_sessions, change):
    kept = {"gap": reference_sessions.delete(600), "later start": reference_sessions[1:]}
    bars = bars_on(kept.get(change, reference_sessions))
    chosen, is_reference = choose_bars(bars, ticker="IBM" if change == "ticker" else "AAPL")
    assert not is_reference
    assert len(chosen) == len(bars)


def test_of_other_bars_the_newest_are_used_as_many_as_the_reference_had():
    sessions = sessions_between("XNYS", pd.Timestamp("2005-01-03").date(), pd.Timestamp("2014-12-31").date())
    chosen, is_reference = choose_bars(bars_on(sessions), ticker="AAPL")
    assert not is_reference
    assert list(chosen["session"]) == list(sessions[-1256:])


def test_each_model_has_what_was_published_the_protocol_and_the_default(found):
    assert found.is_reference
    assert found.n_bars == 1256
    assert list(found.scores[["model", "formulation"]].itertuples(index=False, name=None)) == [
        ("random_walk", "benchmark"),
        *(("xgboost", whose) for whose in ("published", "reference", "default")),
    ]
    published = found.scores.set_index(["model", "formulation"]).loc[("xgboost", "published")]
    assert (published["rmse"], published["mae"]) == (7.21, 5.65)
    assert published["rmse_ratio"] == pytest.approx(7.21 / 4.38)


def test_all_of_ours_are_scored_on_the_last_tenth_in_money_of_adjusted_close(found, prices):
    moves = np.diff(prices["adj_close"].to_numpy())[-TESTED:]
    ours = found.scores[found.scores["formulation"] != "published"]
    assert (ours["n"] == TESTED).all()
    assert (ours["first_session"] == prices["session"].iloc[-TESTED]).all()
    assert (ours["last_session"] == prices["session"].iloc[-1]).all()
    np.testing.assert_allclose(ours["rmse_random_walk"].astype(float), np.sqrt(np.mean(moves**2)))
    np.testing.assert_allclose(ours["mae_random_walk"].astype(float), np.mean(np.abs(moves)))
    assert ours["rmse_ratio"].iloc[0] == 1


def test_the_protocol_is_lagged_levels_with_the_next_session_as_label(found, prices):
    """Oracle: the library with its defaults on lags written out by hand, trained on the first 80 %."""
    import xgboost

    level = prices["adj_close"].to_numpy()
    rows = np.arange(20, 1256)
    inputs = np.column_stack([level[rows - lag] for lag in (1, 2, 3, 5, 10, 20)])
    learned = rows < 1004  # one session is purged: the label of row 1,003 is the last that is learned from
    centre, scale = level[rows][learned].mean(), level[rows][learned].std()
    labels = (level[rows][learned] - centre) / scale
    model = xgboost.train({"base_score": 0.0}, xgboost.DMatrix(inputs[learned], labels), num_boost_round=100)
    tested = rows >= 1130
    predicted = centre + scale * model.predict(xgboost.DMatrix(inputs[tested])).astype(float)
    rmse = np.sqrt(np.mean((predicted - level[rows][tested]) ** 2))
    ours = found.scores.set_index(["model", "formulation"]).loc[("xgboost", "reference"), "rmse"]
    assert ours == pytest.approx(rmse, rel=1e-6)


def test_levels_lose_to_the_random_walk_and_returns_hardly_do(found):
    ratio = found.scores.set_index(["model", "formulation"])["rmse_ratio"]
    assert ratio["xgboost", "reference"] > 1.1
    assert ratio["xgboost", "default"] == pytest.approx(1, abs=0.05)


def test_too_few_bars_are_refused_with_both_numbers(prices, tmp_path):
    with pytest.raises(TooFewRows, match=r"AAPL has 399 sessions .* expected at least"):
        replicate(
            prices.tail(400),
            ticker="AAPL",
            calendar="XNYS",
            store=ArtifactStore(tmp_path),
            now=lambda: datetime(2026, 1, 2, tzinfo=UTC),
            fast=True,
        )
