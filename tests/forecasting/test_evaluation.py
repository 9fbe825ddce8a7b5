"""Evaluation: who is scored on which rows, and what the table says."""

from itertools import pairwise

import numpy as np
import pandas as pd
import pytest

from stock_assets.forecasting.errors import UnequalRows
from stock_assets.forecasting.evaluation import as_markdown, evaluate, on_current_splits, on_equal_folds, scale_mae
from stock_assets.forecasting.features import compute_features
from stock_assets.forecasting.significance import minimum_detectable_skill
from stock_assets.forecasting.splits import holdout_splits
from storage.tables import EVALUATION
from tests.forecasting.scored import predictions_of

RNG = np.random.default_rng(11)
ACTUAL = 0.02 * RNG.standard_normal(120)
GOOD = 0.2 * ACTUAL + 0.002 * RNG.standard_normal(120)
NOISE = 0.01 * RNG.standard_normal(120)


def holdout_of(**models: np.ndarray) -> pd.DataFrame:
    return pd.concat([predictions_of(name, predicted, ACTUAL) for name, predicted in models.items()])


def row(table: pd.DataFrame, model: str) -> pd.Series:
    return table.set_index("model").loc[model]


def test_the_frame_has_the_columns_of_the_contract_in_order() -> None:
    table = evaluate(holdout_of(random_walk=np.zeros(120), good=GOOD), scale_mae=1.0)
    assert tuple(table.columns) == EVALUATION.column_names
    assert table["n"].dtype == "int64"
    required = [column.name for column in EVALUATION.columns if not column.nullable]
    assert table[required].notna().all(axis=None)


def test_without_a_known_actual_the_frame_is_empty_and_typed() -> None:
    nothing = evaluate(holdout_of(random_walk=np.zeros(120)).assign(actual=np.nan), scale_mae=1.0)
    full = evaluate(holdout_of(random_walk=np.zeros(120)), scale_mae=1.0)
    assert nothing.empty
    assert (nothing.dtypes == full.dtypes).all()
    assert as_markdown(nothing) == "No prediction has an actual close yet."


def test_scores_agree_with_a_plain_loop_over_the_rows() -> None:
    scores = row(evaluate(holdout_of(random_walk=np.zeros(120), noise=NOISE), scale_mae=2.0), "noise")
    closes = 100 * np.exp(ACTUAL)
    errors = 100 * np.exp(NOISE) - closes
    assert scores["rmse"] == pytest.approx(np.sqrt(sum(e * e for e in errors) / 120))
    assert scores["mae"] == pytest.approx(sum(abs(e) for e in errors) / 120)
    assert scores["mase"] == pytest.approx(scores["mae"] / 2)
    assert scores["rmse_random_walk"] == pytest.approx(np.sqrt(sum((c - 100) ** 2 for c in closes) / 120))
    assert scores["skill_vs_naive"] == pytest.approx(1 - scores["rmse"] / scores["rmse_random_walk"])
    assert scores["coverage_90"] == np.mean([abs(e) <= 0.09 for e in errors])
    assert scores["width_90"] == pytest.approx(0.18)


def test_the_random_walk_has_no_skill_no_direction_and_no_p_value() -> None:
    scores = row(evaluate(holdout_of(random_walk=np.zeros(120), good=GOOD), scale_mae=1.0), "random_walk")
    assert scores["skill_vs_naive"] == 0
    assert scores["std_ratio"] == 0
    tests = ["clark_west_p", "dm_hln_p", "dm_hln_abs_p", "pesaran_timmermann_p", "skill_lower", "skill_upper"]
    assert scores[["directional_accuracy", "directional_accuracy_lower", "up_share", *tests]].isna().all()


def test_a_model_with_a_signal_is_told_from_one_without() -> None:
    table = evaluate(holdout_of(random_walk=np.zeros(120), good=GOOD, noise=NOISE), scale_mae=1.0)
    assert row(table, "good")["clark_west_p"] < 0.001
    assert row(table, "good")["dm_hln_p"] < 0.001
    assert row(table, "noise")["clark_west_p"] > 0.05


def test_the_figures_of_uncertainty_stand_where_they_belong() -> None:
    scores = row(evaluate(holdout_of(random_walk=np.zeros(120), good=GOOD, noise=NOISE), scale_mae=1.0), "good")
    assert scores["skill_lower"] < scores["skill_vs_naive"] < scores["skill_upper"]
    assert scores["directional_accuracy_lower"] < scores["directional_accuracy"]
    assert scores["up_share"] == np.mean(ACTUAL > 0)
    assert scores["pesaran_timmermann_p"] < 0.001
    assert scores["dm_hln_abs_p"] < 0.001
    assert scores["mcs_p"] == 1
    assert scores["minimum_detectable_skill"] == minimum_detectable_skill(120)
    assert 0 < scores["crps"] < scores["mae"]


def test_resampled_figures_are_reused_where_the_rows_are_the_same() -> None:
    predictions = holdout_of(random_walk=np.zeros(120), good=GOOD)
    first = evaluate(predictions, scale_mae=1.0)
    marked = first.assign(skill_lower=-7.0, skill_upper=7.0, mcs_p=0.5)
    again = evaluate(predictions, scale_mae=1.0, earlier=marked)
    assert (again[["skill_lower", "skill_upper", "mcs_p"]].to_numpy() == [-7.0, 7.0, 0.5]).all()
    assert (again["rows_version"] == first["rows_version"]).all()


def test_another_model_another_number_or_another_row_makes_resampled_figures_anew() -> None:
    predictions = holdout_of(random_walk=np.zeros(120), good=GOOD)
    marked = evaluate(predictions, scale_mae=1.0).assign(mcs_p=-1.0)
    changed = predictions.assign(predicted_log_return=predictions["predicted_log_return"] * (1 + 1e-12))
    fewer = predictions[predictions["target_session"] < predictions["target_session"].max()]
    for new in (holdout_of(random_walk=np.zeros(120), good=GOOD, noise=NOISE), changed, fewer):
        assert (evaluate(new, scale_mae=1.0, earlier=marked)["mcs_p"] >= 0).all()


def test_a_handful_of_rows_is_scored_but_not_resampled() -> None:
    few = pd.concat(predictions_of(m, p[:12], ACTUAL[:12]) for m, p in {"random_walk": 0 * GOOD, "good": GOOD}.items())
    table = evaluate(few, scale_mae=1.0)
    assert table[["skill_lower", "mcs_p", "minimum_detectable_skill"]].isna().all(axis=None)
    assert table["rmse"].notna().all()
    assert "So few sessions can show no skill at all." in as_markdown(table)


def test_of_live_rows_only_models_on_the_random_walks_sessions_are_in_the_confidence_set() -> None:
    live = {"fold": "live", "role": "live"}
    table = evaluate(
        pd.concat(
            [
                predictions_of("random_walk", np.zeros(120), ACTUAL, **live),
                predictions_of("good", GOOD, ACTUAL, **live),
                predictions_of("late", NOISE[60:], ACTUAL[60:], start="2020-03-26", **live),
            ]
        ),
        scale_mae=1.0,
    )
    assert row(table, "good")["mcs_p"] == 1
    assert np.isnan(row(table, "late")["mcs_p"])
    assert row(table, "late")["skill_lower"] < row(table, "late")["skill_upper"]


def test_the_random_walk_alone_is_compared_with_nobody() -> None:
    assert evaluate(holdout_of(random_walk=np.zeros(120)), scale_mae=1.0)["mcs_p"].isna().all()


def walked(model: str, predicted: np.ndarray, *, n: int = 120, fold: str = "wf_00") -> pd.DataFrame:
    return predictions_of(model, predicted[:n], ACTUAL[:n], fold=fold, role="test")


def test_models_whose_folds_are_not_the_random_walks_are_named_and_left_out() -> None:
    predictions = pd.concat(
        [
            holdout_of(short=NOISE),
            walked("random_walk", 0 * GOOD),
            walked("good", GOOD),
            walked("short", NOISE, n=100),
            walked("renamed", NOISE, fold="wf_01"),
            walked("rescaled", NOISE).assign(actual_log_return=ACTUAL + 1e-8),
            walked("corrected", NOISE).assign(actual_log_return=ACTUAL + 0.01 * (np.arange(120) == 7)),
        ]
    )
    kept, unequal = on_equal_folds(predictions)
    assert unequal == ["corrected", "renamed", "short"]
    assert set(kept.loc[kept["scheme"] == "walk_forward", "model"]) == {"random_walk", "good", "rescaled"}
    assert (kept["scheme"] == "holdout").sum() == 120


def test_without_the_random_walks_backtest_nothing_is_scored_walk_forward() -> None:
    kept, unequal = on_equal_folds(walked("good", GOOD))
    assert unequal == ["good"]
    assert kept.empty
    assert on_equal_folds(holdout_of(good=GOOD))[1] == []


def test_unequal_walk_forward_rows_are_refused_where_nobody_left_them_out() -> None:
    predictions = pd.concat([walked("random_walk", 0 * GOOD), walked("short", NOISE, n=100)])
    with pytest.raises(UnequalRows, match=r"short lacks 20 of the 120 walk_forward test .* materialise backtest/short"):
        evaluate(predictions, scale_mae=1.0)


def test_folds_of_the_backtest_stay_when_the_boundaries_move() -> None:
    current = holdout_of(random_walk=np.zeros(120))
    splits = current[["ticker", "session", "fold", "role"]]
    predictions = pd.concat([current, walked("random_walk", 0 * GOOD), walked("good", GOOD)])
    kept, outdated = on_current_splits(predictions, splits, splits[["session"]])
    assert outdated == []
    assert len(kept) == len(predictions)


def test_the_random_walk_beside_each_model_is_on_that_models_rows() -> None:
    live = predictions_of("late", NOISE[:30], ACTUAL[:30], fold="live", role="live", start="2021-01-04")
    benchmark = predictions_of("random_walk", np.zeros(60), ACTUAL[:60], fold="live", role="live", start="2021-01-04")
    table = evaluate(pd.concat([live, benchmark]), scale_mae=1.0)
    assert row(table, "late")["n"] == 30
    assert row(table, "random_walk")["n"] == 60
    expected = np.sqrt(np.mean((100 * np.exp(ACTUAL[:30]) - 100) ** 2))
    assert row(table, "late")["rmse_random_walk"] == pytest.approx(expected)


def test_models_that_predicted_other_sessions_are_not_compared() -> None:
    predictions = pd.concat([holdout_of(random_walk=np.zeros(120)), holdout_of(good=GOOD).iloc[5:]])
    with pytest.raises(UnequalRows, match=r"good lacks 5 of the 120 holdout validation sessions .*2020-01-03.* …"):
        evaluate(predictions, scale_mae=1.0)


def test_rows_whose_actual_is_not_known_yet_are_left_out() -> None:
    predictions = holdout_of(random_walk=np.zeros(120), good=GOOD)
    newest = predictions["target_session"] == predictions["target_session"].max()
    table = evaluate(
        predictions.assign(
            actual=predictions["actual"].mask(newest), actual_log_return=predictions["actual_log_return"].mask(newest)
        ),
        scale_mae=1.0,
    )
    assert (table["n"] == 119).all()


def test_folds_map_to_schemes() -> None:
    folds = {"holdout": "validation", "wf_00": "test", "wf_01": "test", "live": "live"}
    predictions = pd.concat(
        predictions_of("random_walk", np.zeros(20), ACTUAL[:20], fold=fold, role=role, start=f"20{20 + i}-01-02")
        for i, (fold, role) in enumerate(folds.items())
    )
    table = evaluate(predictions, scale_mae=1.0).set_index("scheme")
    assert set(table.index) == {"holdout", "walk_forward", "live"}
    assert table.loc["walk_forward", "n"] == 40


def test_an_unknown_fold_is_refused() -> None:
    with pytest.raises(ValueError, match="fold is 'huldout', expected holdout, wf_<number> or live"):
        evaluate(predictions_of("random_walk", np.zeros(5), ACTUAL[:5], fold="huldout"), scale_mae=1.0)


def test_scores_do_not_depend_on_the_order_of_rows() -> None:
    predictions = holdout_of(random_walk=np.zeros(120), good=GOOD, noise=NOISE)
    shuffled = predictions.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(evaluate(predictions, scale_mae=1.0), evaluate(shuffled, scale_mae=1.0))


def test_the_scale_of_mase_is_the_random_walks_mae_on_training_rows(garch_prices: pd.DataFrame) -> None:
    splits = holdout_splits(compute_features(garch_prices))
    train = set(splits.loc[splits["role"] == "train", "session"])
    bars = garch_prices.to_dict("records")
    moves = [
        abs(bar["close"] * after["adj_close"] / bar["adj_close"] - bar["close"])
        for bar, after in pairwise(bars)
        if bar["session"] in train
    ]
    assert scale_mae(garch_prices, splits) == pytest.approx(sum(moves) / len(moves), rel=1e-12)


def test_the_scale_of_mase_is_in_money_of_the_close_whatever_dividends_came_later(garch_prices: pd.DataFrame) -> None:
    splits = holdout_splits(compute_features(garch_prices))
    adjusted = garch_prices.assign(adj_close=garch_prices["adj_close"] * 0.8)
    assert scale_mae(adjusted, splits) == pytest.approx(scale_mae(garch_prices, splits), rel=1e-12)


def test_models_predicted_on_older_boundaries_are_named_and_left_out() -> None:
    current = pd.concat([predictions_of("random_walk", np.zeros(120), ACTUAL), predictions_of("good", GOOD, ACTUAL)])
    old = predictions_of("stale", NOISE, ACTUAL, start="2020-02-03")
    validation = current[current["model"] == "good"]
    splits = pd.DataFrame(
        {"ticker": "T", "session": validation["session"], "fold": "holdout", "role": validation["role"]}
    )
    kept, outdated = on_current_splits(pd.concat([current, old]), splits, splits[["session"]])
    assert outdated == ["stale"]
    assert set(kept["model"]) == {"random_walk", "good"}


def test_a_model_that_only_forecasts_is_named_and_left_out() -> None:
    current = predictions_of("random_walk", np.zeros(120), ACTUAL)
    silent = predictions_of("moved", NOISE[:3], ACTUAL[:3], fold="live", role="live", start="2021-01-04")
    splits = current[["ticker", "session", "fold", "role"]]
    kept, outdated = on_current_splits(pd.concat([current, silent]), splits, splits[["session"]])
    assert outdated == ["moved"]
    assert set(kept["model"]) == {"random_walk"}


def test_a_session_that_left_the_history_makes_no_model_outdated() -> None:
    before = holdout_of(random_walk=np.zeros(120), good=GOOD)
    splits = before.loc[before["model"] == "good", ["ticker", "session", "fold", "role"]]
    gone = splits["session"].iloc[50]
    features = splits.loc[splits["session"] != gone, ["session"]]
    again = before[before["session"] != gone]
    kept, outdated = on_current_splits(again, splits, features)
    assert outdated == []
    pd.testing.assert_frame_equal(kept, again.reset_index(drop=True))
    assert on_current_splits(again, splits, splits[["session"]])[1] == ["good", "random_walk"]


def test_the_leaderboard_shows_the_benchmark_first_then_the_best() -> None:
    lines = as_markdown(
        evaluate(
            pd.concat(
                [
                    holdout_of(noise=NOISE, good=GOOD, random_walk=np.zeros(120)),
                    holdout_of(noise=NOISE, good=GOOD, random_walk=np.zeros(120)).assign(role="test"),
                ]
            ),
            scale_mae=1.0,
        )
    ).splitlines()
    assert lines[0] == "**holdout · validation**: 120 sessions, 2020-01-03 to 2020-06-18"
    names = [line.split("|")[1].strip() for line in lines if line.startswith("| ")]
    assert names == ["model", "**random_walk** (benchmark)", "good", "noise"] * 2
    assert lines[8].startswith("Better than the random walk by Clark–West at 5%, each tested alone: good.")
    assert "holdout · test" in lines[10]
