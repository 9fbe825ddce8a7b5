"""The lineage on a real Dagster instance, a real lake and real bars."""

from pathlib import Path

import dagster as dg
import duckdb
import pandas as pd
import pytest

import storage
from stock_assets.definitions import defs
from stock_assets.lineage import record_status
from stock_assets.runs import Options, Work, execute, plan
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


def test_a_second_run_appends_no_forecast_and_fits_nothing(finished_desk: Desk) -> None:
    before = {name: finished_desk.lake.read(name) for name in ("raw_prices", "forecasts", "models", "champion")}
    for name, rows in before.items():
        pd.testing.assert_frame_equal(finished_desk.lake.read(name), rows)


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
    for ticker in ("BRK-B", "^GSPC", "BF.B"):
        write_csv(ticker)
        assert desk.run(ticker, source="csv", csv_dir=str(csv_dir)).reason is None

    assert set(desk.lake.read("forecasts")["ticker"]) == {"BRK-B", "^GSPC", "BF.B"}


@pytest.mark.parametrize("hostile", ["../x", "a'b", "CON", "aapl"])
def test_a_hostile_partition_is_refused_in_one_line(desk: Desk, hostile: str) -> None:
    outcome = desk.run(hostile)

    assert outcome.reason is not None
    assert f"{hostile!r}" in outcome.reason or repr(hostile) in outcome.reason
    assert "is not a ticker" in outcome.reason
    assert desk.lake.read("tickers").empty


@pytest.mark.slow
def test_of_three_tickers_the_bad_one_is_red_and_named_and_the_others_complete(
    desk: Desk, write_csv: Writer, csv_dir: Path
) -> None:
    write_csv("GOOD-A")
    write_csv("SHORT", rows=100)
    write_csv("GOOD-B", bars_of="MSFT")

    names = ("GOOD-A", "SHORT", "GOOD-B", "NONE")
    outcomes = {name: desk.run(name, source="csv", csv_dir=str(csv_dir)) for name in names}

    assert outcomes["GOOD-A"].reason is None
    assert outcomes["GOOD-B"].reason is None
    assert "SHORT" in str(outcomes["SHORT"].reason)
    assert "NONE" in str(outcomes["NONE"].reason)
    assert desk.partitions("forecasts") == {"GOOD-A", "GOOD-B"}
    assert desk.partitions("splits") == {"GOOD-A", "GOOD-B"}
    status = desk.lake.read("tickers").set_index("ticker")
    assert status["status"].to_dict() == {"GOOD-A": "ok", "GOOD-B": "ok", "SHORT": "failed", "NONE": "failed"}
    assert status.loc["SHORT", "reason"]
    failed = desk.instance.get_runs(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]))
    assert {run.tags["dagster/partition"] for run in failed} == {"SHORT", "NONE"}


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
    assert desk.lake.read("tickers")["status"].tolist() == ["failed"]


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
    assert made.tags["dagster/partition"] == "AAPL"

    assert finished_desk.run("AAPL", job="train").reason is None

    for name, rows in before.items():
        pd.testing.assert_frame_equal(finished_desk.lake.read(name), rows)


@pytest.mark.slow
def test_scoring_alone_cures_no_failed_ticker(desk: Desk) -> None:
    assert desk.run("AAPL").reason is None
    record_status(desk.lake, "AAPL", "failed", reason="its fetch failed")
    alone = Work("AAPL", frozenset({dg.AssetKey("forecast_scores")}), Options(fast=True).run_config())
    assert execute(desk.instance, desk.settings, alone).reason is None
    assert desk.lake.read("tickers")[["status", "reason"]].to_numpy().tolist() == [["failed", "its fetch failed"]]


def test_bars_are_stored_before_a_ticker_counts_as_fetched(desk: Desk) -> None:
    (fetch,) = plan("fetch", ["AAPL"], Options(source="sample", fast=True))
    raw = Work("AAPL", frozenset({dg.AssetKey("raw_prices")}), fetch.run_config)
    assert execute(desk.instance, desk.settings, raw).reason is None
    (row,) = desk.lake.read("tickers").to_dict("records")
    assert (row["status"], row["calendar"], row["source"]) == ("added", "XNYS", "sample")
    assert execute(desk.instance, desk.settings, fetch).reason is None
    assert desk.lake.read("tickers")["status"].tolist() == ["fetched"]


def test_a_run_of_one_ticker_does_not_look_at_all_the_others(desk: Desk) -> None:
    assert desk.run("AAPL", job="fetch").reason is None
    steps = desk.instance.get_run_step_stats(desk.instance.get_runs()[0].run_id)
    assert {step.step_key for step in steps} == {"raw_prices", "prices"}, "without prices_fresh, which is about all"
