from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest

from stock_assets.forecasting import features as feature_formulas
from stock_assets.forecasting.errors import ArtifactMismatch
from stock_assets.forecasting.evaluation import on_current_splits
from stock_assets.forecasting.features import FEATURES, compute_features
from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.intervals import LEVELS, Calibration
from stock_assets.forecasting.predictions import check_predictions, predict_all, predict_sessions
from stock_assets.forecasting.splits import holdout_splits
from stock_assets.forecasting.volatility import forecast_volatility
from storage.tables import PREDICTIONS


@pytest.fixture
def predicted(boosted, garch_history, garch_splits):
    return predict_all(boosted[0], garch_history, garch_splits, ticker="GARCH", calendar="XNYS")


def names(findings):
    return [finding.name for finding in findings]


def test_rows_fit_the_contract_of_the_table(predicted):
    assert tuple(predicted.columns) == PREDICTIONS.column_names
    assert not predicted.duplicated(list(PREDICTIONS.key)).any()
    required = [column.name for column in PREDICTIONS.columns if not column.nullable]
    assert predicted[required].notna().all(axis=None)


def test_each_role_is_answered_by_the_fit_that_did_not_learn_from_it(predicted, boosted, garch_splits):
    for role, fold, model in (
        ("validation", "holdout", boosted[0].evaluated),
        ("test", "holdout", boosted[0].evaluated),
        ("live", "live", boosted[0].final),
    ):
        rows = predicted[predicted["role"] == role]
        assert set(rows["fold"]) == {fold}
        assert set(rows["model_version"]) == {model.manifest.version}
        assert set(rows["session"]) == set(garch_splits["session"][garch_splits["role"] == role])
        assert (rows["session"] > pd.Timestamp(model.manifest.train_end)).all()


def test_the_newest_row_asks_for_the_next_session_of_the_exchange(predicted):
    newest = predicted.iloc[-1]
    assert newest["session"] == pd.Timestamp("2012-09-07")  # a Friday
    assert newest["target_session"] == pd.Timestamp("2012-09-10")
    assert np.isnan(newest["actual"])
    assert np.isnan(newest["actual_log_return"])


def test_prices_are_on_the_basis_of_the_as_of_close_even_when_dividends_lower_the_adjusted_one(
    boosted, garch_prices, garch_splits
):
    paid = garch_prices.assign(adj_close=garch_prices["adj_close"] * np.linspace(0.7, 1.0, len(garch_prices)))
    history = build_history(paid, compute_features(paid))
    rows = predict_all(boosted[0], history, garch_splits, ticker="GARCH", calendar="XNYS")
    bars = paid.set_index("session")
    row = rows.iloc[40]
    then, after = bars.loc[row["session"]], bars.loc[row["target_session"]]
    assert row["naive"] == then["close"]
    assert row["actual"] == pytest.approx(then["close"] * after["adj_close"] / then["adj_close"])
    assert row["actual"] != pytest.approx(after["close"], rel=1e-5)
    assert row["predicted"] == pytest.approx(then["close"] * np.exp(row["predicted_log_return"]))


def test_the_first_bounds_after_the_fit_are_the_calibrations_in_prices(boosted, garch_history):
    model = boosted[0].evaluated
    session = garch_history["session"][garch_history["session"] > model.manifest.train_end].iloc[0]
    row = predict_sessions(
        model, garch_history, pd.Series({session: "test"}), ticker="GARCH", fold="wf_00", following=date(2012, 9, 10)
    ).iloc[0]
    half = model.calibration.half_widths(np.array([np.nan]))[0][0, LEVELS.index(90)] * row["volatility"]
    assert row["lower_90"] == pytest.approx(row["predicted"] * np.exp(-half))
    assert row["upper_90"] == pytest.approx(row["predicted"] * np.exp(half))


def test_bounds_are_corrected_by_every_outcome_known_at_the_close(predicted, boosted, garch_history):
    """The session between train and validation is purged, not predicted, and its outcome is known all the same."""
    model = boosted[0].evaluated
    rows = garch_history[garch_history["session"] > model.manifest.train_end]
    residual = rows["target_log_return"] - model.predict(garch_history)[rows.index]
    scores = (residual.abs() / forecast_volatility(garch_history)[rows.index]).to_numpy()
    half_widths = model.calibration.half_widths(scores)[0][:, LEVELS.index(80)]
    expected = pd.Series(half_widths, index=rows["session"])
    scored = predicted[predicted["fold"] == "holdout"].set_index("session")
    published = np.log(scored["upper_80"] / scored["predicted"]) / scored["volatility"]
    np.testing.assert_allclose(published, expected[published.index], rtol=1e-9)
    assert len(rows) > len(scored)


@pytest.mark.parametrize("cut", [630, 666, 699])
def test_bounds_of_a_day_from_data_cut_at_it_are_equal_bit_for_bit(cut, boosted, garch_history):
    """Only the outcome may differ: it is not known at the cut."""
    model, asked = boosted[0].evaluated, pd.Series("test", index=garch_history["session"].iloc[600:])
    known = garch_history.head(cut).assign(
        target_log_return=lambda rows: rows["target_log_return"].mask(rows.index == cut - 1)
    )
    rows = [
        predict_sessions(model, history, asked, ticker="GARCH", fold="wf_00", following=date(2012, 9, 10))
        for history in (known, garch_history)
    ]
    last = rows[0].iloc[-1]
    unknown = ["actual", "actual_log_return", "target_session"]
    pd.testing.assert_series_equal(
        last.drop(unknown),
        rows[1].set_index("session", drop=False).loc[last["session"]].drop(unknown),
        check_names=False,
    )


def test_a_fit_that_is_asked_for_rows_it_learned_from_learns_nothing_from_them(boosted, garch_history):
    model = boosted[0].evaluated
    asked = pd.Series("test", index=garch_history["session"].iloc[100:200])
    rows = predict_sessions(model, garch_history, asked, ticker="GARCH", fold="wf_00", following=date(2012, 9, 10))
    half = np.log(rows["upper_90"] / rows["predicted"]) / rows["volatility"]
    assert half.to_numpy() == pytest.approx(np.full(100, half.iloc[0]))


def test_rows_held_at_the_cap_are_counted_and_stay_in_order(boosted, garch_history, garch_splits, garch_features):
    """Calibrated on scores a hundred times too small, the widths run into the cap within months."""
    small = Calibration(tuple(np.asarray(boosted[0].evaluated.calibration.scores) / 100))
    trained = replace(boosted[0], evaluated=replace(boosted[0].evaluated, calibration=small))
    rows = predict_all(trained, garch_history, garch_splits, ticker="GARCH", calendar="XNYS")
    scored = rows[rows["fold"] == "holdout"]
    assert scored["capped"].iloc[0] == 0
    assert scored["capped"].iloc[-1] == 4
    assert check_predictions(rows, garch_splits, garch_features) == []


def test_only_the_sessions_asked_for_are_predicted(boosted, garch_history):
    asked = pd.Series(["test", "validation"], index=garch_history["session"].iloc[[650, 640]])
    rows = predict_sessions(
        boosted[0].evaluated, garch_history, asked, ticker="GARCH", fold="wf_00", following=date(2012, 9, 10)
    )
    assert list(rows["session"]) == list(garch_history["session"].iloc[[640, 650]])
    assert list(rows["role"]) == ["validation", "test"]
    assert list(rows["target_session"]) == list(garch_history["session"].iloc[[641, 651]])


def test_good_predictions_have_no_findings(predicted, garch_splits, garch_features):
    assert check_predictions(predicted, garch_splits, garch_features) == []


def test_a_missing_session_is_found_and_named(predicted, garch_splits, garch_features):
    (finding,) = check_predictions(predicted.drop(index=5), garch_splits, garch_features)
    assert (finding.name, finding.severity) == ("predictions_complete", "error")
    assert finding.sessions == (predicted["session"][5].date(),)


def test_a_session_the_model_cannot_predict_is_missing_and_not_made_up(
    boosted, garch_history, garch_splits, garch_features
):
    blind = garch_history.copy()
    blind.loc[garch_history.index[-30], "log_return_1"] = np.nan
    rows = predict_all(boosted[0], blind, garch_splits, ticker="GARCH", calendar="XNYS")
    (finding,) = check_predictions(rows, garch_splits, garch_features)
    assert finding.sessions == (garch_history["session"].iloc[-30].date(),)


def test_no_live_prediction_at_all_is_found(predicted, garch_splits, garch_features):
    (finding,) = check_predictions(predicted[predicted["fold"] != "live"], garch_splits, garch_features)
    assert finding.name == "predictions_complete"


def test_sessions_that_a_newer_final_fit_has_learned_from_need_no_live_prediction(
    predicted, garch_splits, garch_features
):
    # The splits were frozen when the last three sessions were live; the final fit has learned from two of them since.
    newest = garch_splits["session"].iloc[-3:]
    older = garch_splits.assign(role=garch_splits["role"].mask(garch_splits["session"].isin(newest), "live"))
    rows = predicted[(predicted["fold"] == "live") | ~predicted["session"].isin(newest)]
    assert check_predictions(rows, older, garch_features) == []


def test_a_session_predicted_twice_is_found(predicted, garch_splits, garch_features):
    twice = pd.concat([predicted, predicted.iloc[[7]]])
    assert names(check_predictions(twice, garch_splits, garch_features)) == ["predictions_unique"]


@pytest.mark.parametrize("column", ["lower_95", "lower_50", "predicted", "upper_80", "upper_95"])
def test_bounds_out_of_order_are_found(column, predicted, garch_splits, garch_features):
    wrong = predicted.copy()
    wrong.loc[3, column] = wrong.loc[3, "predicted"] * (2.0 if column.startswith("lower") else 0.5)
    assert names(check_predictions(wrong, garch_splits, garch_features)) == ["predictions_ordered"]


@pytest.fixture
def moved_back(garch_prices):
    """Splits frozen when 100 sessions fewer were known, so that what was train is validation and test now."""
    return holdout_splits(compute_features(garch_prices.iloc[:600]))


def test_nothing_the_fit_learned_from_is_ever_scored(boosted, garch_history, garch_splits, moved_back):
    evaluated = boosted[0].evaluated.manifest
    asked = moved_back["session"][moved_back["role"].isin(["validation", "test"])]
    assert (asked <= pd.Timestamp(evaluated.train_end)).any(), "the scenario: scored rows the fit has learned from"
    for splits, n_scored in ((garch_splits, 64 + 63), (moved_back, 0)):
        rows = predict_all(boosted[0], garch_history, splits, ticker="GARCH", calendar="XNYS")
        scored = rows[rows["role"] != "live"]
        assert len(scored) == n_scored
        assert (scored["session"] > pd.Timestamp(evaluated.train_end)).all()


def test_after_the_splits_moved_a_model_forecasts_and_is_named_until_it_is_trained_again(
    boosted, predicted, garch_history, garch_features, moved_back
):
    rows = predict_all(boosted[0], garch_history, moved_back, ticker="GARCH", calendar="XNYS")
    live = predicted[predicted["fold"] == "live"].reset_index(drop=True)
    pd.testing.assert_frame_equal(rows, live)
    (finding,) = check_predictions(rows, moved_back, garch_features)
    assert (finding.name, finding.severity, finding.sessions) == ("predictions_scored", "warn", ())
    assert "not scored until it is trained again" in finding.message
    assert on_current_splits(rows, moved_back, garch_features)[1] == ["xgboost"]


@pytest.mark.parametrize("boundary", [0, -1])
def test_either_boundary_of_the_training_rows_must_match(boundary, boosted, garch_history, garch_splits):
    train_rows = garch_splits.index[garch_splits["role"] == "train"]
    other = garch_splits.drop(index=train_rows[boundary])
    rows = predict_all(boosted[0], garch_history, other, ticker="GARCH", calendar="XNYS")
    assert set(rows["role"]) == {"live"}


def test_a_scored_session_that_left_the_history_is_a_warning_and_the_model_stays_current(
    boosted, garch_prices, garch_splits
):
    gone = garch_splits["session"][garch_splits["role"] == "validation"].iloc[20]
    bars = garch_prices[garch_prices["session"] != gone]
    features = compute_features(bars)
    rows = predict_all(boosted[0], build_history(bars, features), garch_splits, ticker="GARCH", calendar="XNYS")
    (finding,) = check_predictions(rows, garch_splits, features)
    assert (finding.name, finding.severity, finding.sessions) == ("predictions_complete", "warn", (gone.date(),))
    assert on_current_splits(rows, garch_splits, features)[1] == []


def test_a_missing_session_is_an_error_even_beside_one_that_left_the_history(predicted, garch_splits, garch_features):
    findings = check_predictions(
        predicted.drop(index=[5, 9]), garch_splits, garch_features[garch_features["session"] != predicted["session"][9]]
    )
    assert [(finding.severity, finding.sessions) for finding in findings] == [
        ("error", (predicted["session"][5].date(),)),
        ("warn", (predicted["session"][9].date(),)),
    ]


def test_a_fit_on_other_feature_formulas_is_refused_with_both_versions(
    boosted, walk, garch_history, garch_splits, monkeypatch
):
    fitted_on = feature_formulas.features_version()
    changed = (replace(FEATURES[0], formula=f"2 * ({FEATURES[0].formula})"), *FEATURES[1:])
    monkeypatch.setattr(feature_formulas, "FEATURES", changed)
    today = feature_formulas.features_version()
    pattern = (
        rf"xgboost \w+ was fitted on feature formulas {fitted_on}, and today's are {today} — train the model again"
    )
    with pytest.raises(ArtifactMismatch, match=pattern):
        predict_all(boosted[0], garch_history, garch_splits, ticker="GARCH", calendar="XNYS")
    # The random walk reads no feature, and goes on.
    assert len(predict_all(walk, garch_history, garch_splits, ticker="GARCH", calendar="XNYS")) == 128
