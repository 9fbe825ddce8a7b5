from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from stock_assets.forecasting.artifacts import describe
from stock_assets.forecasting.errors import StalePredictions
from stock_assets.forecasting.forecasts import as_markdown, make_forecasts, score_forecasts
from stock_assets.forecasting.predictions import predict_all
from storage.lake import Lake
from storage.tables import FORECAST_SCORES, FORECASTS

OPENS = datetime(2012, 9, 10, 13, 30, tzinfo=UTC)
OTHER_FIT = "0123456789abcdef"
SCORED = datetime(2012, 9, 10, 22, tzinfo=UTC)
NO_SCORES = pd.DataFrame(columns=FORECAST_SCORES.column_names)


@pytest.fixture(scope="module")
def predicted(walk, boosted, garch_history, garch_splits):
    """What the random walk and, after it, XGBoost predicted."""
    both = [
        predict_all(fits, garch_history, garch_splits, ticker="GARCH", calendar="XNYS") for fits in (walk, boosted[0])
    ]
    return pd.concat(both, ignore_index=True)


@pytest.fixture(scope="module")
def fits(walk, boosted):
    """Rows of table `models`; the last one a fit of XGBoost's with other settings."""
    rows = pd.concat([describe(walk), describe(boosted[0])], ignore_index=True)
    return pd.concat([rows, rows.tail(1).assign(version=OTHER_FIT)], ignore_index=True)


@pytest.fixture
def make(predicted, garch_prices, fits, tmp_path):
    none = Lake(tmp_path).read("forecasts")

    def forecasts(
        predictions=predicted, prices=garch_prices, existing=none, created_at=None, champion="random_walk", models=fits
    ):
        return make_forecasts(
            predictions,
            prices,
            models,
            champion=champion,
            existing=existing,
            live_until=lambda session: OPENS if session == date(2012, 9, 10) else OPENS + timedelta(days=99),
            created_at=created_at or OPENS - timedelta(hours=1),
            run_id="run-1",
        )

    return forecasts


def of(model, forecasts):
    """The rows of one model."""
    return forecasts[forecasts["model"] == model].reset_index(drop=True)


def last_of(model, predicted):
    """The label of a model's newest prediction."""
    return predicted.index[predicted["model"] == model][-1]


@pytest.fixture
def next_bars(garch_prices):
    """The bars of the forecast's target session as well: 2 % up."""
    last = garch_prices.iloc[-1]
    values = {name: last[name] * 1.02 for name in ("open", "high", "low", "close", "adj_close")}
    bar = last.to_frame().T.assign(session=pd.Timestamp("2012-09-10"), **values)
    return pd.concat([garch_prices, bar.astype(garch_prices.dtypes)], ignore_index=True)


def test_a_forecast_is_the_newest_live_prediction_written_down(make, predicted, garch_prices, boosted):
    forecasts = make()
    assert set(forecasts.columns) == set(FORECASTS.column_names)
    assert forecasts.notna().all(axis=None)
    assert forecasts["model"].tolist() == ["random_walk", "xgboost"]
    assert set(forecasts["run_id"]) == {"run-1"}
    (row,) = of("xgboost", forecasts).to_dict("records")
    newest = predicted.iloc[-1]
    for column in ("predicted", "lower_95", "upper_50", "volatility", "target_session", "model_version"):
        assert row[column] == newest[column]
    assert row["as_of_session"] == garch_prices["session"].iloc[-1]
    assert row["naive"] == garch_prices["close"].iloc[-1]
    assert row["code_version"] == boosted[0].final.manifest.code_version
    assert row["source"] == "csv"


@pytest.mark.parametrize(("minutes", "is_live"), [(-1, True), (0, False), (1, False)])
def test_only_what_is_written_before_the_open_is_live(make, minutes, is_live):
    assert make(created_at=OPENS + timedelta(minutes=minutes))["is_live"].tolist() == [is_live] * 2


def test_the_same_data_and_model_append_nothing(make):
    first = make()
    assert make(existing=first, created_at=OPENS + timedelta(days=1)).empty


def test_new_data_appends_a_row_of_every_model(make, garch_prices):
    first = make()
    restated = garch_prices.assign(volume=garch_prices["volume"] * 2)
    assert len(make(prices=restated, existing=first)) == 2


def test_a_fit_that_comes_back_is_said_again(make, predicted):
    """A, B, A: the newest row of the model is what stands, not any row before it."""
    other = predicted.assign(model_version=predicted["model_version"].mask(predicted["model"] == "xgboost", OTHER_FIT))
    log = make()
    for minutes, predictions in ((1, other), (2, predicted)):
        moment = OPENS - timedelta(minutes=30 - minutes)
        said = make(predictions=predictions, existing=log, created_at=moment)
        assert said["model"].tolist() == ["xgboost"]
        log = pd.concat([said, log], ignore_index=True)  # the newest first: the order of rows says nothing
        assert make(predictions=predictions, existing=log, created_at=moment + timedelta(seconds=1)).empty
    versions = of("xgboost", log).sort_values("created_at")["model_version"].tolist()
    assert versions == [versions[0], OTHER_FIT, versions[0]]
    assert log["forecast_id"].is_unique


def test_a_new_champion_is_written_down(make):
    first = make()
    second = make(existing=first, champion="xgboost", created_at=OPENS - timedelta(minutes=5))
    assert dict(zip(second["model"], second["is_champion"], strict=True)) == {"random_walk": False, "xgboost": True}
    both = pd.concat([first, second])
    assert both["forecast_id"].is_unique
    assert make(existing=both, champion="xgboost", created_at=OPENS).empty


def test_two_runs_at_once_give_a_forecast_one_identity(make):
    """Both read the log before either has written: the append keeps one of two rows with the same identity."""
    one, another = make(), make(created_at=OPENS - timedelta(minutes=59))
    assert one["forecast_id"].tolist() == another["forecast_id"].tolist()


def test_every_model_forecasts_and_the_champion_is_marked(make):
    both = make()
    assert dict(zip(both["model"], both["is_champion"], strict=True)) == {"random_walk": True, "xgboost": False}
    assert both["forecast_id"].is_unique
    assert "random_walk" in as_markdown(both)


def test_a_model_whose_newest_prediction_is_of_an_older_bar_has_no_forecast(make, predicted):
    older = predicted.drop(index=last_of("xgboost", predicted))
    is_late = older.index == last_of("xgboost", older)
    # The bar before closed at the same price: only its session tells that it is not the newest.
    same_close = older["naive"].mask(is_late, predicted["naive"].iloc[-1])
    late = older.assign(fold=older["fold"].mask(is_late, "live"), naive=same_close)
    assert make(predictions=late)["model"].tolist() == ["random_walk"]


@pytest.mark.parametrize(("change", "models"), [(1e-3, ["random_walk"]), (1e-8, ["random_walk", "xgboost"])])
def test_a_model_that_predicted_from_a_bar_since_corrected_has_no_forecast(make, predicted, change, models):
    other_close = predicted["naive"].mask(predicted["model"] == "xgboost", predicted["naive"] * (1 + change))
    assert make(predictions=predicted.assign(naive=other_close))["model"].tolist() == models


def test_a_model_whose_fit_is_not_in_the_table_has_no_forecast(make, fits):
    assert make(models=fits[fits["model"] != "xgboost"])["model"].tolist() == ["random_walk"]


@pytest.mark.parametrize(
    ("champion", "stale", "lacking"),
    [
        ("random_walk", "random_walk", "random_walk"),
        ("xgboost", "random_walk", "random_walk"),
        ("xgboost", "xgboost", "xgboost"),
    ],
)
def test_a_champion_or_random_walk_from_a_corrected_bar_is_refused(make, predicted, champion, stale, lacking):
    corrected = predicted.assign(naive=predicted["naive"].mask(predicted["model"] == stale, predicted["naive"] * 1.01))
    pattern = rf"bar is of 2012-09-07, close \S+, and {lacking} made no .* materialize predictions/{lacking} again"
    with pytest.raises(StalePredictions, match=pattern):
        make(predictions=corrected, champion=champion)


def test_predictions_older_than_the_newest_bar_are_refused(make, next_bars):
    pattern = r"newest bar is of 2012-09-10, close \S+, and random_walk and xgboost made no prediction from it"
    with pytest.raises(StalePredictions, match=pattern):
        make(prices=next_bars, champion="xgboost")


def test_no_live_prediction_is_refused(make, predicted):
    with pytest.raises(StalePredictions, match="random_walk made no prediction from it"):
        make(predictions=predicted[predicted["fold"] == "holdout"])


def test_a_forecast_whose_session_has_no_bar_waits(make, garch_prices):
    scores = score_forecasts(make(), garch_prices, NO_SCORES, scored_at=SCORED)
    assert scores.empty
    assert set(scores.columns) == set(FORECAST_SCORES.column_names)


def test_a_bar_of_a_later_session_does_not_score_a_halted_one(make, next_bars):
    late = next_bars.assign(
        session=next_bars["session"].replace(pd.Timestamp("2012-09-10"), pd.Timestamp("2012-09-11"))
    )
    assert score_forecasts(make(), late, NO_SCORES, scored_at=SCORED).empty


def test_a_score_compares_with_the_ratio_of_adjusted_closes(make, next_bars):
    # A dividend after the fetch lowers every adjusted close before it, and must not look like a return.
    adjusted = next_bars.assign(adj_close=next_bars["adj_close"] * 0.9)
    forecast = of("xgboost", make()).iloc[0]
    (score,) = score_forecasts(of("xgboost", make()), adjusted, NO_SCORES, scored_at=SCORED).to_dict("records")
    assert score["actual"] == pytest.approx(forecast["naive"] * 1.02)
    assert score["error"] == pytest.approx(forecast["predicted"] - score["actual"])
    for level in (50, 80, 90, 95):
        inside = forecast[f"lower_{level}"] <= score["actual"] <= forecast[f"upper_{level}"]
        assert score[f"inside_{level}"] == inside
    assert score["scored_at"] == pd.Timestamp(SCORED)


def test_scoring_again_appends_nothing(make, next_bars):
    scores = score_forecasts(make(), next_bars, NO_SCORES, scored_at=SCORED)
    rounded = next_bars.assign(adj_close=next_bars["adj_close"] * (1 + 1e-8 * np.arange(len(next_bars)) % 3))
    for bars in (next_bars, rounded):
        assert score_forecasts(make(), bars, scores, scored_at=SCORED + timedelta(days=1)).empty


def test_a_corrected_bar_appends_a_score_and_putting_it_back_another(make, next_bars):
    first = score_forecasts(make(), next_bars, NO_SCORES, scored_at=SCORED)
    corrected = next_bars.assign(
        adj_close=next_bars["adj_close"].where(next_bars.index < 700, 1.001 * next_bars["adj_close"])
    )
    second = score_forecasts(make(), corrected, first, scored_at=SCORED + timedelta(days=1))
    assert second["actual"].iloc[0] == pytest.approx(1.001 * first["actual"].iloc[0])
    existing = pd.concat([second, first])
    assert score_forecasts(make(), corrected, existing, scored_at=SCORED + timedelta(days=2)).empty
    assert len(score_forecasts(make(), next_bars, existing, scored_at=SCORED + timedelta(days=2))) == 2
