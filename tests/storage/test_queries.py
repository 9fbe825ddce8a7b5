from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

import storage
from storage import queries
from storage.errors import ContractViolation, NothingPublished, UnknownTable
from storage.published import Reader
from storage.publisher import Publisher
from tests.storage.frames import partition, rows

MODELS = ("random_walk", "sarima", "xgboost")
LATE = pd.Timestamp("2024-06-01T12:00:00Z")


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    publisher = Publisher(tmp_path_factory.mktemp("home"))
    lake = publisher.lake
    for ticker in ("AAPL", "BRK-B"):
        lake.write("tickers", rows("tickers", 1, ticker=ticker), ticker=ticker)
        lake.write("prices", rows("prices", 10, ticker=ticker), ticker=ticker)
        lake.write("features", rows("features", 5, ticker=ticker), ticker=ticker)
        scores = pd.concat(
            [
                rows("evaluation", 1, ticker=ticker, model=m, rmse=9.0 - i, scheme="holdout", role="test")
                for i, m in enumerate(MODELS)
            ]
        )
        lake.write("evaluation", scores, ticker=ticker)
        for i, model in enumerate(MODELS):
            lake.write("models", rows("models", 2, ticker=ticker, model=model), ticker=ticker, model=model)
            predictions = rows("predictions", 4, ticker=ticker, model=model, role=["test", "test", "test", "live"])
            lake.write("predictions", predictions, **partition("predictions", ticker, model))
            forecasts = rows(
                "forecasts",
                3,
                seed=i,
                ticker=ticker,
                model=model,
                is_champion=model == "sarima",
                is_live=[True, False, True],
            )
            forecasts["forecast_id"] = [f"{ticker}-{model}-{n}" for n in range(3)]
            lake.append("forecasts", forecasts)
            scored = rows(
                "forecast_scores", 1, ticker=ticker, model=model, forecast_id=f"{ticker}-{model}-0", actual=1.0
            )
            lake.append("forecast_scores", scored)
            lake.append("forecast_scores", scored.assign(scored_at=LATE, actual=2.0))  # a corrected bar
        lake.append("champion", rows("champion", 2, ticker=ticker, model=["random_walk", "sarima"]))
    publisher.publish()
    return publisher.home


def test_the_universe_is_by_ticker(published: Path) -> None:
    with Reader(published) as reader:
        assert queries.tickers(reader)["ticker"].tolist() == ["AAPL", "BRK-B"]


def test_prices_are_one_tickers_from_start_to_end(published: Path) -> None:
    with Reader(published) as reader:
        assert len(queries.prices(reader, "AAPL")) == 10
        some = queries.prices(reader, "BRK-B", start=date(2024, 1, 3), end=date(2024, 1, 5))
    assert some["session"].dt.day.tolist() == [3, 4, 5]
    assert set(some["ticker"]) == {"BRK-B"}


def test_the_leaderboard_has_the_best_rmse_first(published: Path) -> None:
    with Reader(published) as reader:
        assert queries.leaderboard(reader, "AAPL")["model"].tolist() == ["xgboost", "sarima", "random_walk"]
        assert len(queries.leaderboard(reader)) == 6
        assert queries.leaderboard(reader, "NONE").empty
        assert queries.leaderboard(reader, "AAPL").query("role == 'test'")["rmse"].tolist() == [7.0, 8.0, 9.0]
        assert queries.relation(reader, "evaluation", scheme="walk_forward").empty


def test_the_latest_forecast_of_each_model_with_the_champions_first(published: Path) -> None:
    with Reader(published) as reader:
        latest = queries.latest_forecasts(reader, "AAPL")
    assert latest["model"].tolist() == ["sarima", "random_walk", "xgboost"]
    assert set(latest["as_of_session"]) == {pd.Timestamp("2024-01-03")}


def test_the_track_record_has_live_forecasts_only_with_their_newest_score(published: Path) -> None:
    with Reader(published) as reader:
        record = queries.track_record(reader, "AAPL")
    assert len(record) == 6
    assert record["is_live"].all()
    scored = record[record["scored_at"].notna()]
    assert scored["actual"].tolist() == [2.0] * 3
    assert set(scored["scored_at"]) == {LATE}


def test_the_track_record_has_what_each_model_said_last_before_a_session_opened(publisher: Publisher) -> None:
    session = pd.Timestamp("2024-01-10")
    said = {  # forecast → (model, minutes before the open, live)
        "first": ("sarima", 90, True),
        "last": ("sarima", 30, True),
        "too late": ("sarima", -10, False),
        "of another model": ("xgboost", 60, True),
        "of another session": ("sarima", 20, True),
    }
    log = rows("forecasts", len(said)).assign(
        forecast_id=list(said),
        model=[model for model, _, _ in said.values()],
        created_at=[LATE - pd.Timedelta(minutes=minutes) for _, minutes, _ in said.values()],
        is_live=[is_live for _, _, is_live in said.values()],
        target_session=[session] * 4 + [session + pd.Timedelta(days=1)],
    )
    publisher.lake.append("forecasts", log.iloc[::-1])
    publisher.lake.append("forecast_scores", rows("forecast_scores", 2).assign(forecast_id=["first", "last"]))
    publisher.publish()
    with Reader(publisher.home) as reader:
        record = queries.track_record(reader, "AAPL")
    assert record["forecast_id"].tolist() == ["last", "of another model", "of another session"]
    assert record["scored_at"].notna().tolist() == [True, False, False]


def test_the_champion_is_the_newest_decision(published: Path) -> None:
    with Reader(published) as reader:
        assert queries.champion(reader)[["ticker", "model"]].to_numpy().tolist() == [
            ["AAPL", "sarima"],
            ["BRK-B", "sarima"],
        ]
        assert len(queries.champion(reader, "AAPL")) == 1


def test_predictions_models_features_and_forecasts_are_filtered_by_value(published: Path) -> None:
    with Reader(published) as reader:
        assert len(queries.predictions(reader, "AAPL")) == 12
        some = queries.predictions(reader, "AAPL", ["sarima", "xgboost"], role="live")
        assert some["model"].tolist() == ["sarima", "xgboost"]
        assert len(queries.models(reader, "AAPL")) == 6
        assert len(queries.relation(reader, "features", ticker="AAPL")) == 5
        assert len(queries.forecasts(reader, "AAPL", "sarima")) == 3


def test_a_filter_is_a_value_and_never_sql(published: Path) -> None:
    with Reader(published) as reader:
        assert queries.leaderboard(reader, "AAPL' OR '1'='1").empty


def test_a_notebook_has_any_table_or_view_in_one_line(published: Path) -> None:
    assert len(storage.table("forecasts", published, ticker="AAPL")) == 9
    assert len(storage.table("prices", published, ticker=["AAPL", "BRK-B"], session=pd.Timestamp("2024-01-02"))) == 2
    assert storage.table("leaderboard", published, ticker="AAPL")["model"].tolist() == [
        "xgboost",
        "sarima",
        "random_walk",
    ]
    assert storage.query("SELECT count(*) AS n FROM prices", published)["n"].tolist() == [20]


def test_a_notebook_reads_the_home_of_the_settings_by_default(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCK_ASSETS_HOME", str(published))
    assert len(storage.table("tickers")) == 2
    assert len(storage.query("FROM tickers")) == 2


def test_a_wrong_name_is_answered_with_the_nearest(published: Path, tmp_path: Path) -> None:
    with pytest.raises(UnknownTable, match=r"there is no table 'leaderbord' — did you mean leaderboard\?"):
        storage.table("leaderbord", published)
    with pytest.raises(UnknownTable, match=r"there is no table 'xyz' — use one of tickers, raw_prices"):
        storage.table("xyz", published)
    with pytest.raises(ContractViolation, match=r"leaderboard has no column 'modle' — did you mean model\?"):
        storage.table("leaderboard", published, modle="sarima")
    with pytest.raises(NothingPublished, match=r"run `stock-assets run`"):
        storage.table("prices", tmp_path)


def test_a_retraining_is_decided_by_the_newest_of_everything(tmp_path: Path) -> None:
    """Twelve sessions checked, the last of them twice; three forecasts, one said again, one scored again."""
    publisher = Publisher(tmp_path)
    lake, days = publisher.lake, pd.bdate_range("2024-01-01", periods=20)
    for ticker in ("AAPL", "BARE", "OTHER"):
        lake.write("tickers", rows("tickers", 1, ticker=ticker, calendar="XNYS"), ticker=ticker)
    lake.write("features", rows("features", 20, session=days, target_session=days), ticker="AAPL")
    lake.append("champion", rows("champion", 2, model=["sarima", "random_walk"]))
    fits = rows("models", 2, kind=["evaluated", "final"], train_end=days[[9, 15]])
    lake.write("models", fits, **partition("models"))
    causes = {"cause": ["drift", "age", "none"], "action": ["retrain", "retrain", "keep"]}
    lake.append("retraining", rows("retraining", 3, session=days[[14, 16, 18]], **causes))
    checks = rows("drift", 13, feature="gap", drifted=[True] + [False] * 11 + [True])
    lake.write("drift", checks.assign(current_end=[*days[:12], days[11]]), ticker="AAPL")
    said = {"is_live": [True, True, True, False], "target_session": days[[3, 4, 3, 5]], "volatility": 0.5}
    made = rows("forecasts", 4, predicted=[10.0, 20.0, 40.0, 30.0], **said)
    lake.append("forecasts", made)
    for late, actual in ((False, [1.0] * 4), (True, [10.0, 20.0 * np.e, 40.0 * np.e**2, 30.0])):
        scored = rows("forecast_scores", 4, actual=actual, forecast_id=made["forecast_id"])
        lake.append("forecast_scores", scored.assign(scored_at=scored["scored_at"] + pd.Timedelta(days=100 * late)))
    known = {"actual_log_return": [0.3, 0.1, None], "predicted_log_return": 0.1, "volatility": 0.1}
    lake.write("predictions", rows("predictions", 3, **known), **partition("predictions"))
    publisher.publish()
    with Reader(tmp_path) as reader:
        found = queries.retraining_facts(reader, ["BARE", "AAPL", "REMOVED"], n_checks=10)
    assert found["ticker"].tolist() == ["AAPL", "BARE"]
    row = found.iloc[0]
    assert (row["calendar"], row["model"], row["action"], row["cause"]) == ("XNYS", "random_walk", "keep", "none")
    assert (row["session"], row["trained_through"], row["since_cause"]) == (days[19], days[15], 5)
    assert row["drifted"].tolist() == [0.0] * 9 + [1.0]
    assert row["live"] == pytest.approx([4.0, 2.0])
    assert row["reference"] == pytest.approx([2.0, 0.0])
    assert found.iloc[1][["model", "session", "trained_through", "since_cause", "drifted", "live"]].isna().all()
