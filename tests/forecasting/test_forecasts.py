from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from stock_assets.forecasting.artifacts import describe
from stock_assets.forecasting.errors import StalePredictions
from stock_assets.forecasting.forecasts import as_markdown, make_forecasts, score_forecasts
from stock_assets.forecasting.predictions import predict_all
from storage.tables import FORECAST_SCORES, FORECASTS

OPENS = datetime(2012, 9, 10, 13, 30, tzinfo=UTC)
SCORED = datetime(2012, 9, 10, 22, tzinfo=UTC)
NO_FORECASTS = pd.DataFrame(columns=FORECASTS.column_names)
NO_SCORES = pd.DataFrame(columns=FORECAST_SCORES.column_names)


@pytest.fixture(scope="module")
def predicted(boosted, garch_history, garch_splits):
    return predict_all(boosted[0], garch_history, garch_splits, ticker="GARCH", calendar="XNYS")


@pytest.fixture
def make(predicted, garch_prices, boosted):
    def forecasts(predictions=predicted, prices=garch_prices, existing=NO_FORECASTS, created_at=None):
        return make_forecasts(
            predictions,
            prices,
            describe(boosted[0]),
            champion="random_walk",
            existing=existing,
            opens_at=lambda session: OPENS if session == date(2012, 9, 10) else OPENS + timedelta(days=99),
            created_at=created_at or OPENS - timedelta(hours=1),
        )

    return forecasts


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
    (row,) = forecasts.to_dict("records")
    newest = predicted.iloc[-1]
    for column in ("predicted", "lower_95", "upper_50", "volatility", "target_session", "model_version"):
        assert row[column] == newest[column]
    assert row["as_of_session"] == garch_prices["session"].iloc[-1]
    assert row["naive"] == garch_prices["close"].iloc[-1]
    assert row["code_version"] == boosted[0].final.manifest.code_version
    assert row["source"] == "csv"


@pytest.mark.parametrize(("minutes", "is_live"), [(-1, True), (0, False), (1, False)])
def test_only_what_is_written_before_the_open_is_live(make, minutes, is_live):
    assert make(created_at=OPENS + timedelta(minutes=minutes))["is_live"].tolist() == [is_live]


def test_the_same_data_and_model_append_nothing(make):
    first = make()
    assert make(existing=first, created_at=OPENS + timedelta(days=1)).empty


def test_new_data_or_another_model_version_append_a_row(make, predicted, garch_prices):
    first = make()
    restated = garch_prices.assign(volume=garch_prices["volume"] * 2)
    assert len(make(prices=restated, existing=first)) == 1
    assert len(make(predictions=predicted.assign(model_version="another"), existing=first)) == 1


def test_every_model_forecasts_and_the_champion_is_marked(make, predicted):
    both = make(predictions=pd.concat([predicted, predicted.assign(model="random_walk")]))
    assert dict(zip(both["model"], both["is_champion"], strict=True)) == {"random_walk": True, "xgboost": False}
    assert both["forecast_id"].is_unique
    assert "random_walk" in as_markdown(both)


def test_predictions_older_than_the_newest_bar_are_refused(make, next_bars):
    pattern = r"newest bar is of 2012-09-10 .* found xgboost from 2012-09-07 .* materialize"
    with pytest.raises(StalePredictions, match=pattern):
        make(prices=next_bars)


def test_no_live_prediction_is_refused(make, predicted):
    with pytest.raises(StalePredictions, match="found none"):
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
    forecast = make().iloc[0]
    (score,) = score_forecasts(make(), adjusted, NO_SCORES, scored_at=SCORED).to_dict("records")
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
    assert len(score_forecasts(make(), next_bars, existing, scored_at=SCORED + timedelta(days=2))) == 1
