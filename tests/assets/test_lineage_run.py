"""The lineage on a real Dagster instance, a real lake and real bars."""

from dataclasses import replace
from pathlib import Path

import dagster as dg
import duckdb
import pandas as pd
import pytest

import storage
from stock_assets import health
from stock_assets.definitions import defs
from stock_assets.health import Failure
from stock_assets.universe import tickers_of_run
from storage.publisher import Publisher
from storage.tables import TABLES
from tests.assets.conftest import SMALL, Desk, Writer


def test_one_run_leads_from_bars_to_a_forecast(finished_desk: Desk) -> None:
    forecasts = storage.table("latest_forecasts", home=finished_desk.settings.home, ticker="AAPL")
    assert set(forecasts["model"]) == set(SMALL)
    assert (forecasts["lower_90"] < forecasts["predicted"]).all()
    assert (forecasts["predicted"] < forecasts["upper_90"]).all()
    assert forecasts["as_of_session"].unique().tolist() == [pd.Timestamp("2013-03-01")]
    assert forecasts["target_session"].unique().tolist() == [pd.Timestamp("2013-03-04")]
    assert not forecasts["is_live"].any(), "a forecast of 2013 written today is not live"
    assert set(forecasts["source"]) == {"sample"}


def test_random_walk_stands_beside_every_score(finished_desk: Desk) -> None:
    scores = storage.table("leaderboard", home=finished_desk.settings.home, ticker="AAPL")
    walk = scores[scores["model"] == "random_walk"].set_index("role")["rmse"]
    assert set(scores["role"]) == {"validation", "test"}
    for row in scores.itertuples():
        assert row.rmse_random_walk == pytest.approx(walk[row.role], rel=1e-12)


def test_intervals_and_volatility_are_scored_and_published(finished_desk: Desk) -> None:
    tables = {
        name: storage.table(name, home=finished_desk.settings.home, ticker="AAPL")
        for name in ("evaluation", "calibration", "pit_histogram", "volatility")
    }
    scored = tables["evaluation"].set_index(["model", "scheme", "role"])
    of_90 = tables["calibration"].query("level == 90").set_index(["model", "scheme", "role"])
    pd.testing.assert_series_equal(of_90["coverage"], scored["coverage_90"], check_names=False, check_like=True)
    counted = tables["pit_histogram"].groupby(["model", "scheme", "role"])["n"].sum()
    pd.testing.assert_series_equal(counted, scored["n"].rename("n"), check_like=True)
    assert tables["volatility"]["is_used"].sum() == 1
    newest = finished_desk.lake.read("predictions", ticker="AAPL").sort_values("session").iloc[-1]
    used = tables["volatility"].query("is_used").iloc[0]
    assert used["forecast"] == pytest.approx(newest["volatility"], rel=1e-12)


def test_a_second_run_appends_no_forecast_and_fits_nothing(own_desk: Desk) -> None:
    before = {name: own_desk.lake.read(name) for name in ("raw_prices", "forecasts", "models", "champion")}
    assert own_desk.run("AAPL").reason is None
    for name, rows in before.items():
        pd.testing.assert_frame_equal(own_desk.lake.read(name), rows)


def test_every_stored_table_passes_its_contract_after_a_publish_from_the_lake_alone(finished_desk: Desk) -> None:
    rebuilt = Publisher(finished_desk.settings.home).rebuild()

    with duckdb.connect(str(rebuilt.path), read_only=True) as connection:
        for name, table in TABLES.items():
            stored = connection.execute(f"SELECT * FROM {name}").df()  # noqa: S608 - names come from the contract
            assert tuple(stored.columns) == table.column_names
            assert len(stored) == len(finished_desk.lake.read(name))


def test_daily_forecast_trains_nothing(finished_desk: Desk) -> None:
    fits = finished_desk.lake.read("models")
    splits = finished_desk.lake.read("splits")

    assert finished_desk.run("AAPL", job="forecast").reason is None

    pd.testing.assert_frame_equal(finished_desk.lake.read("models"), fits)
    pd.testing.assert_frame_equal(finished_desk.lake.read("splits"), splits)


@pytest.mark.slow
def test_names_that_need_care_go_through_the_whole_lineage(desk: Desk, write_csv: Writer, csv_dir: Path) -> None:
    names = ("BRK-B", "^GSPC", "BF.B")
    for ticker in names:
        write_csv(ticker)

    assert desk.run(*names, source="csv", csv_dir=str(csv_dir)).failed == {}

    assert set(desk.lake.read("forecasts")["ticker"]) == set(names)
    assert len(desk.instance.get_runs()) == 1


@pytest.mark.parametrize("hostile", ["../x", "a'b", "CON", "aapl"])
def test_a_hostile_name_is_refused_in_one_line(desk: Desk, hostile: str) -> None:
    outcome = desk.run(hostile)

    assert outcome.reason is not None
    assert f"{hostile!r}" in outcome.reason or repr(hostile) in outcome.reason
    assert "is not a ticker" in outcome.reason
    assert "\n" not in outcome.reason
    assert desk.lake.read("tickers").empty


@pytest.mark.slow
def test_of_four_tickers_the_bad_ones_are_red_and_named_and_the_others_complete(
    desk: Desk, write_csv: Writer, csv_dir: Path
) -> None:
    write_csv("GOOD-A")
    write_csv("SHORT", rows=100)
    write_csv("GOOD-B", bars_of="MSFT")

    outcome = desk.run("GOOD-A", "SHORT", "GOOD-B", "NONE", source="csv", csv_dir=str(csv_dir))

    assert outcome.failed.keys() == {"SHORT", "NONE"}
    assert outcome.failed["SHORT"].startswith("splits: SHORT has 39 sessions")
    assert outcome.failed["NONE"].startswith("raw_prices: ")
    assert "NONE.csv" in outcome.failed["NONE"]
    # Each asset names in Dagster whom it was made for, and its check whom it was not, and why.
    assert desk.made("raw_prices") == desk.made("features") == {"GOOD-A", "GOOD-B", "SHORT"}
    for asset in ("splits", "model/xgboost", "predictions/random_walk", "champion", "forecasts"):
        assert desk.made(asset) == {"GOOD-A", "GOOD-B"}
    for asset, absent in (("raw_prices", {"NONE"}), ("splits", {"NONE", "SHORT"}), ("forecasts", {"NONE", "SHORT"})):
        complete = desk.checks(asset)["complete"]
        assert (complete.passed, complete.severity) == (False, dg.AssetCheckSeverity.ERROR)
        assert complete.metadata["tickers"].value == {ticker: outcome.failed[ticker] for ticker in absent}
        assert all(f"{ticker}: {outcome.failed[ticker]}" in str(complete.description) for ticker in absent)
    # So does the table, and the run itself has succeeded.
    assert desk.statuses() == {"GOOD-A": "ok", "GOOD-B": "ok", "SHORT": "failed", "NONE": "failed"}
    [run] = desk.instance.get_runs()
    assert (run.status, run.tags["dagster/partition"]) == (dg.DagsterRunStatus.SUCCESS, "XNYS")
    rows = desk.lake.read("tickers").set_index("ticker")
    for ticker, line in outcome.failed.items():
        told = rows.loc[ticker]
        assert f"{told['stage']}: {told['reason']} — {told['cure']}" == line
        assert told["run_id"] == run.run_id
    assert rows.loc[["GOOD-A", "GOOD-B"], ["stage", "reason", "cure", "run_id"]].isna().all(axis=None)


@pytest.mark.slow
def test_a_ticker_that_goes_bad_keeps_its_last_good_rows(desk: Desk, write_csv: Writer, csv_dir: Path) -> None:
    file = write_csv("IBM")
    desk.run("IBM", source="csv", csv_dir=str(csv_dir))
    before = desk.lake.read("prices"), desk.lake.read("forecasts")
    lines = file.read_text().splitlines()
    lines[300] = lines[300].replace(lines[300].split(",")[4], "not-a-price")
    file.write_text("\n".join(lines))

    outcome = desk.run("IBM", source="csv", csv_dir=str(csv_dir))

    assert "IBM.csv" in str(outcome.reason)
    assert "not-a-price" in str(outcome.reason)
    pd.testing.assert_frame_equal(desk.lake.read("prices"), before[0])
    pd.testing.assert_frame_equal(desk.lake.read("forecasts"), before[1])
    assert desk.statuses() == {"IBM": "failed"}


def test_bars_of_two_sources_never_mix(desk: Desk, write_csv: Writer, csv_dir: Path) -> None:
    desk.run("IBM", job="fetch")
    write_csv("IBM")

    outcome = desk.run("IBM", job="fetch", source="csv", csv_dir=str(csv_dir))

    assert "sample" in str(outcome.reason)
    assert "csv" in str(outcome.reason)
    assert set(desk.lake.read("raw_prices")["source"]) == {"sample"}


def test_every_asset_says_what_it_is() -> None:
    for spec in defs.resolve_all_asset_specs():
        assert spec.description
        assert spec.owners
        assert spec.kinds
        assert spec.metadata["dagster/column_schema"].columns
        assert spec.group_name is not None
        assert spec.group_name[0].isdigit()
        assert (spec.partitions_def is None) == (spec.key.path == ["pooled_evaluation"])


def test_every_fit_and_forecast_names_the_run_that_made_it_also_after_another_run(finished_desk: Desk) -> None:
    before = {name: finished_desk.lake.read(name) for name in ("models", "forecasts")}
    (first,) = set(before["models"]["run_id"])
    assert set(before["forecasts"]["run_id"]) == {first}
    made = finished_desk.instance.get_run_by_id(first)
    assert made is not None
    assert made.tags["dagster/partition"] == "XNYS"
    assert tickers_of_run(made, finished_desk.lake) == ["AAPL"]

    assert finished_desk.run("AAPL", job="train").reason is None

    for name, rows in before.items():
        pd.testing.assert_frame_equal(finished_desk.lake.read(name), rows)


def test_scoring_alone_cures_no_failed_ticker(own_desk: Desk) -> None:
    health.failed(own_desk.lake, "AAPL", Failure("raw_prices", "its fetch failed", "try again"), "a run")
    before = own_desk.lake.read("tickers")
    alone = replace(own_desk.plan("AAPL"), assets=frozenset({dg.AssetKey("forecast_scores")}))
    assert own_desk.execute(alone).failed == {}
    pd.testing.assert_frame_equal(own_desk.lake.read("tickers"), before)


def test_bars_are_stored_before_a_ticker_counts_as_fetched(desk: Desk) -> None:
    fetch = desk.plan("AAPL", job="fetch")
    assert desk.execute(replace(fetch, assets=frozenset({dg.AssetKey("raw_prices")}))).reason is None
    (row,) = desk.lake.read("tickers").to_dict("records")
    assert (row["status"], row["calendar"], row["source"]) == ("added", "XNYS", "sample")
    assert desk.execute(fetch).reason is None
    assert desk.statuses() == {"AAPL": "fetched"}


def test_only_the_forecast_or_the_step_that_failed_says_that_a_ticker_is_well_again(own_desk: Desk) -> None:
    health.failed(own_desk.lake, "AAPL", Failure("splits", "something", "do it again"), "a run")
    daily = own_desk.plan("AAPL", job="forecast", models=["random_walk"])
    without = daily.assets - {dg.AssetKey("forecasts")}
    assert {dg.AssetKey("prices"), dg.AssetKey("forecast_scores")} < without

    own_desk.execute(replace(daily, assets=without))
    assert own_desk.statuses() == {"AAPL": "failed"}
    own_desk.execute(replace(daily, assets=without | {dg.AssetKey("forecasts")}))

    told = own_desk.lake.read("tickers")[["status", "stage", "reason", "cure", "run_id"]]
    assert told.to_numpy().tolist() == [["ok", None, None, None, None]]


def test_a_run_of_one_ticker_does_not_look_at_all_the_others(desk: Desk) -> None:
    assert desk.run("AAPL", job="fetch").reason is None
    steps = desk.instance.get_run_step_stats(desk.instance.get_runs()[0].run_id)
    assert {step.step_key for step in steps} == {"raw_prices", "prices"}, "without prices_fresh, which is about all"


def test_a_run_that_names_no_ticker_is_about_all_of_its_market(desk: Desk) -> None:
    """As when somebody materialises a partition from Dagster's UI."""
    assert desk.run("AAPL", "IBM", job="fetch").failed == {}
    desk.instance.add_dynamic_partitions("market", ["XTKS"])
    fetch = desk.plan("AAPL", job="fetch")
    resources = {name: value for name, value in fetch.run_config["resources"].items() if name != "universe"}
    for market, ended in (("XNYS", dg.DagsterRunStatus.SUCCESS), ("XTKS", dg.DagsterRunStatus.FAILURE)):
        desk.execute(replace(fetch, market=market, tickers=(), run_config=fetch.run_config | {"resources": resources}))
        assert desk.instance.get_runs(limit=1)[0].status == ended
    assert desk.made("prices") == {"AAPL", "IBM"}


def test_new_tickers_whose_source_is_not_there_are_in_the_universe_and_say_why(desk: Desk, tmp_path: Path) -> None:
    """Bad ones of a run that goes on are seen in the table alone."""
    outcome = desk.run("NEW-A", "NEW-B", job="fetch", source="csv", csv_dir=str(tmp_path / "gone"))
    assert outcome.failed.keys() == {"NEW-A", "NEW-B"}
    assert desk.statuses() == {"NEW-A": "failed", "NEW-B": "failed"}
    assert all("is not a folder" in line and "--csv-dir" in line for line in outcome.failed.values())
