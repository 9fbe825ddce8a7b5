"""What all tickers together show, on a real Dagster instance and a real lake."""

from dataclasses import replace

import dagster as dg
import numpy as np
import pandas as pd
import pytest

import storage
from stock_assets.definitions import defs
from stock_assets.forecasting.evaluation import evaluate
from stock_assets.runs import assets_of
from tests.assets.conftest import Desk, Ended
from tests.assets.made_up import add
from tests.forecasting.scored import predictions_of

KEY = dg.AssetKey("pooled_evaluation")


def evaluated(desk: Desk, *tickers: str) -> None:
    """Put tickers into the lake as if their run had ended: the random walk, and a model with a strong signal."""
    for seed, ticker in enumerate(tickers):
        actual = 0.01 * np.random.default_rng(seed).standard_normal(100)
        said = {"random_walk": 0 * actual, "xgboost": 0.3 * actual}
        predictions = pd.concat(predictions_of(name, values, actual) for name, values in said.items())
        predictions = predictions.assign(ticker=ticker, bars_version=None)
        for model, rows in predictions.groupby("model"):
            desk.lake.write("predictions", rows, ticker=ticker, model=str(model), scheme="holdout")
        desk.lake.write("evaluation", evaluate(predictions, scale_mae=1.0), ticker=ticker)
        add(desk, ticker)


def pool(desk: Desk) -> Ended:
    """A run of the one step."""
    return desk.execute(replace(desk.plan("AAPL", job="forecast"), assets=frozenset({KEY})))


def test_several_tickers_are_pooled_and_published(desk: Desk) -> None:
    evaluated(desk, "AAPL", "IBM", "MSFT")

    assert pool(desk).failed == {}

    pooled = storage.table("pooled_evaluation", home=desk.settings.home).set_index("model")
    assert pooled.loc["xgboost", ["n_tickers", "n_sessions", "n", "n_discoveries"]].tolist() == [3, 100, 300, 3]
    assert pooled.loc["xgboost", "clark_west_p"] < 0.001
    assert np.isnan(pooled.loc["random_walk", "clark_west_p"])
    assert "Better than the random walk over all tickers" in desk.metadata("pooled_evaluation")["pooled"]


def test_a_single_ticker_and_none_are_pooled_as_well(desk: Desk) -> None:
    assert pool(desk).failed == {}
    assert desk.lake.read("pooled_evaluation").empty
    evaluated(desk, "AAPL")
    assert pool(desk).failed == {}
    assert desk.lake.read("pooled_evaluation")["n_tickers"].unique().tolist() == [1]


def test_a_scheme_that_is_gone_from_the_evaluation_is_gone_from_the_pool(desk: Desk) -> None:
    evaluated(desk, "AAPL", "IBM")
    assert pool(desk).failed == {}
    desk.lake.write("pooled_evaluation", desk.lake.read("pooled_evaluation").assign(scheme="live"), scheme="live")

    assert pool(desk).failed == {}

    assert set(desk.lake.read("pooled_evaluation")["scheme"]) == {"holdout"}


@pytest.mark.parametrize("table", ["predictions", "evaluation"])
def test_a_ticker_whose_file_is_damaged_is_left_out_and_named_and_the_others_are_pooled(
    desk: Desk, table: str, capfd: pytest.CaptureFixture[str]
) -> None:
    evaluated(desk, "AAPL", "IBM")
    damaged = next(path for path in (desk.settings.lake_dir / table).rglob("*.parquet") if "IBM" in str(path))
    damaged.write_bytes(b"not Parquet")

    assert pool(desk).failed == {}

    [run] = desk.instance.get_runs()
    said = [entry.user_message for entry in desk.instance.all_logs(run.run_id) if entry.level == 30]
    assert said[0].startswith(f"IBM is not pooled: {damaged} cannot be read")
    pooled = desk.lake.read("pooled_evaluation").set_index("model")
    assert pooled.loc["xgboost", ["n_tickers", "n"]].tolist() == [1, 100]
    assert desk.statuses() == {"AAPL": "ok", "IBM": "ok"}


def test_it_is_one_step_of_every_job_that_scores_and_belongs_to_no_market() -> None:
    holding = {job for job in ("lineage", "fetch", "train", "forecast", "backtest") if KEY in assets_of(job)}
    assert holding == {"lineage", "train", "forecast", "backtest"}
    assert defs.resolve_asset_graph().get(KEY).partitions_def is None
