"""Pooling over tickers: against a regression with clustered errors, and in a market that moves all tickers at once."""

import math
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest
from scipy.stats import false_discovery_control
from statsmodels.regression.linear_model import OLS

from stock_assets.forecasting.evaluation import evaluate
from stock_assets.forecasting.pooled import as_markdown, clustered_mean_test, is_discovery, pool, session_sums
from storage.contracts import conform
from storage.tables import TABLES
from tests.forecasting.scored import predictions_of

NOW = datetime(2026, 1, 1, tzinfo=UTC)


def universe(n_tickers: int = 4, *, skill: float = 0.3, n: int = 80, seed: int = 0) -> pd.DataFrame:
    """Predictions of the random walk and of a model, on tickers of different volatility that share half their moves."""
    rng = np.random.default_rng(seed)
    market, frames = rng.standard_normal(n), []
    for i in range(n_tickers):
        volatility = 0.01 * (i + 1)
        actual = volatility * (0.5 * market + 0.87 * rng.standard_normal(n))
        said = skill * actual + 0.2 * volatility * rng.standard_normal(n)
        # The last ticker is younger than the others.
        first = 20 if i == n_tickers - 1 else 0
        for model, predicted in (("random_walk", 0 * actual), ("good", said)):
            frame = predictions_of(model, predicted, actual).iloc[first:]
            frames.append(frame.assign(ticker=f"T{i}", volatility=volatility))
    return pd.concat(frames, ignore_index=True)


def evaluations(predictions: pd.DataFrame) -> pd.DataFrame:
    return pd.concat([evaluate(rows, scale_mae=1.0) for _, rows in predictions.groupby("ticker")], ignore_index=True)


def pooled(predictions: pd.DataFrame, evaluation: pd.DataFrame) -> pd.DataFrame:
    parts = (session_sums(rows, evaluation) for _, rows in predictions.groupby("ticker"))
    return pool(parts, evaluation, evaluated_at=NOW)


def test_pooled_clark_west_agrees_with_a_regression_whose_errors_are_clustered_by_session() -> None:
    predictions = universe()
    good = predictions[predictions["model"] == "good"]
    adjusted = 2 * good["actual_log_return"] * good["predicted_log_return"] / good["volatility"] ** 2
    regression = OLS(adjusted.to_numpy(), np.ones(len(good))).fit(
        cov_type="cluster",
        cov_kwds={"groups": good["target_session"].factorize()[0], "df_correction": True},
        use_t=True,
    )
    row = pooled(predictions, evaluations(predictions)).set_index("model").loc["good"]
    assert row["clark_west_t"] == pytest.approx(regression.tvalues[0], rel=1e-9)
    assert row["clark_west_p"] == pytest.approx(regression.pvalues[0] / 2, rel=1e-9)
    assert row[["n_tickers", "n_sessions", "n"]].tolist() == [4, 80, 300]


def test_pooled_skill_is_of_errors_in_units_of_volatility() -> None:
    predictions = universe()
    rows = predictions[predictions["model"] == "good"].to_dict("records")
    squared = sum(((r["actual_log_return"] - r["predicted_log_return"]) / r["volatility"]) ** 2 for r in rows)
    naive = sum((r["actual_log_return"] / r["volatility"]) ** 2 for r in rows)
    table = pooled(predictions, evaluations(predictions)).set_index("model")
    assert table.loc["good", "skill"] == pytest.approx(1 - math.sqrt(squared / naive), rel=1e-12)
    assert table.loc["random_walk", "skill"] == 0
    assert math.isnan(table.loc["random_walk", "clark_west_p"])
    assert table.loc["random_walk", "n_discoveries"] == 0


def test_it_makes_no_difference_how_many_tickers_are_reduced_at_once() -> None:
    predictions = universe()
    evaluation = evaluations(predictions)
    at_once = pool([session_sums(predictions, evaluation)], evaluation, evaluated_at=NOW)
    pd.testing.assert_frame_equal(at_once, pooled(predictions, evaluation))


def test_the_frame_fits_its_contract_also_where_it_is_empty() -> None:
    predictions = universe()
    evaluation = evaluations(predictions)
    table = pooled(predictions, evaluation)
    assert conform(TABLES["pooled_evaluation"], table, {"scheme": "holdout"}).num_rows == 2
    nothing = pool([], evaluation.iloc[:0], evaluated_at=NOW)
    assert nothing.empty
    assert (nothing.dtypes == table.dtypes).all()


def test_what_was_not_evaluated_is_not_pooled() -> None:
    predictions = universe()
    evaluation = evaluations(predictions)
    some = evaluation[(evaluation["ticker"] != "T0") | (evaluation["model"] != "good")]
    table = pooled(predictions, some).set_index("model")
    assert table["n_tickers"].to_dict() == {"good": 3, "random_walk": 4}
    assert table.loc["good", "n"] == 220


def test_rows_without_an_outcome_are_left_out() -> None:
    predictions = universe()
    newest = predictions["target_session"] == predictions["target_session"].max()
    unknown = predictions.assign(actual_log_return=predictions["actual_log_return"].mask(newest))
    assert pooled(unknown, evaluations(unknown)).set_index("model").loc["good", "n"] == 296


def test_a_market_that_moves_all_tickers_makes_no_false_evidence() -> None:
    """Without clusters, 20 tickers of one market look like 20 proofs. 300 worlds: a standard error of 1.3 points."""
    rng, rejected, naively = np.random.default_rng(3), 0, 0
    for _ in range(300):
        adjusted = rng.standard_normal(60)[:, None] + 0.3 * rng.standard_normal((60, 20))
        rejected += clustered_mean_test(adjusted.sum(axis=1), np.full(60, 20))[1] < 0.05
        naively += clustered_mean_test(adjusted.ravel(), np.ones(1200))[1] < 0.05
    assert 0.02 < rejected / 300 < 0.08
    assert naively / 300 > 0.25


def test_small_skills_that_no_ticker_shows_alone_show_together() -> None:
    predictions = universe(12, skill=0.02, n=100, seed=5)
    evaluation = evaluations(predictions)
    row = pooled(predictions, evaluation).set_index("model").loc["good"]
    assert row["clark_west_p"] < 0.01
    assert row["n_discoveries"] == 0


def test_one_session_or_no_variation_says_nothing() -> None:
    assert all(math.isnan(figure) for figure in clustered_mean_test([1.0], [3]))
    assert all(math.isnan(figure) for figure in clustered_mean_test([2.0, 4.0], [1, 2]))


def test_discoveries_agree_with_scipy_and_an_untested_ticker_counts() -> None:
    p_values = pd.Series([0.001, 0.012, 0.024, 0.03, math.nan, 0.9])
    expected = false_discovery_control([0.001, 0.012, 0.024, 0.03, 1, 0.9]) < 0.05
    assert is_discovery(p_values).tolist() == expected.tolist() == [True, True, True, True, False, False]
    assert is_discovery(p_values.iloc[:0]).empty


def test_people_read_the_benchmark_first_and_a_verdict_in_words() -> None:
    predictions = universe()
    lines = as_markdown(pooled(predictions, evaluations(predictions))).splitlines()
    assert lines[0] == "**holdout · validation**: 4 tickers, 80 sessions"
    assert lines[4].startswith("| **random_walk** (benchmark)")
    assert lines[5].startswith("| good | +")
    assert lines[-1] == "Better than the random walk over all tickers at 5%, one by one: good."


def test_people_are_told_when_nothing_is_shown() -> None:
    predictions = universe(skill=-0.1)
    table = pooled(predictions, evaluations(predictions))
    assert as_markdown(table).endswith("Over all tickers no model is shown to be better than the random walk.")
    silent = as_markdown(table.assign(clark_west_p=math.nan))
    assert "| – |" in silent.splitlines()[5]
    assert as_markdown(table.iloc[:0]) == "No ticker has been evaluated yet."
