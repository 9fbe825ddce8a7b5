"""What all tickers together show, on a real Dagster instance and a real lake."""

import dagster as dg
import numpy as np
import pandas as pd
import pytest

import storage
from stock_assets.forecasting.evaluation import evaluate
from stock_assets.universe import execute_universe
from tests.assets.conftest import Desk
from tests.forecasting.scored import predictions_of

KEY = dg.AssetKey("pooled_evaluation")


def evaluated(desk: Desk, ticker: str, *, seed: int) -> None:
    """Put a ticker into the lake as if its run had ended: the random walk, and a model with a strong signal."""
    actual = 0.01 * np.random.default_rng(seed).standard_normal(100)
    said = {"random_walk": 0 * actual, "xgboost": 0.3 * actual}
    predictions = pd.concat(predictions_of(name, values, actual) for name, values in said.items())
    predictions = predictions.assign(ticker=ticker)
    for model, rows in predictions.groupby("model"):
        desk.lake.write("predictions", rows, ticker=ticker, model=str(model), scheme="holdout")
    desk.lake.write("evaluation", evaluate(predictions, scale_mae=1.0), ticker=ticker)


def test_several_tickers_are_pooled_and_published(desk: Desk) -> None:
    for seed, ticker in enumerate(("AAPL", "IBM", "MSFT")):
        evaluated(desk, ticker, seed=seed)

    assert execute_universe(desk.instance, desk.settings) is None

    pooled = storage.table("pooled_evaluation", home=desk.settings.home).set_index("model")
    assert pooled.loc["xgboost", ["n_tickers", "n_sessions", "n", "n_discoveries"]].tolist() == [3, 100, 300, 3]
    assert pooled.loc["xgboost", "clark_west_p"] < 0.001
    assert np.isnan(pooled.loc["random_walk", "clark_west_p"])
    event = desk.instance.get_latest_materialization_event(KEY)
    assert event is not None
    assert event.asset_materialization is not None
    assert "Better than the random walk over all tickers" in str(event.asset_materialization.metadata["pooled"].value)


def test_one_ticker_alone_starts_no_run(desk: Desk) -> None:
    evaluated(desk, "AAPL", seed=0)
    assert execute_universe(desk.instance, desk.settings) is None
    assert desk.instance.get_latest_materialization_event(KEY) is None


def test_a_scheme_that_is_gone_from_the_evaluation_is_gone_from_the_pool(desk: Desk) -> None:
    for seed, ticker in enumerate(("AAPL", "IBM")):
        evaluated(desk, ticker, seed=seed)
    assert execute_universe(desk.instance, desk.settings) is None
    desk.lake.write("pooled_evaluation", desk.lake.read("pooled_evaluation").assign(scheme="live"), scheme="live")

    assert execute_universe(desk.instance, desk.settings) is None

    assert set(desk.lake.read("pooled_evaluation")["scheme"]) == {"holdout"}


def test_a_failure_is_one_line_and_is_recorded(desk: Desk) -> None:
    for seed, ticker in enumerate(("AAPL", "IBM")):
        evaluated(desk, ticker, seed=seed)
    damaged = next((desk.settings.lake_dir / "predictions").rglob("*.parquet"))
    damaged.write_bytes(b"not Parquet")

    reason = execute_universe(desk.instance, desk.settings)

    assert reason is not None
    assert "\n" not in reason
    assert damaged.name in reason
    runs = desk.instance.get_runs(dg.RunsFilter(job_name="universe"))
    assert [run.status for run in runs] == [dg.DagsterRunStatus.FAILURE]


@pytest.mark.parametrize("job", ["lineage", "train", "forecast", "backtest"])
def test_no_run_of_a_single_ticker_makes_what_is_about_all(job: str) -> None:
    from stock_assets.runs import Options, plan

    assert KEY not in plan(job, ["AAPL"], Options())[0].assets
