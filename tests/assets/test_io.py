"""The IO manager: what happens to a ticker whose rows the lake refuses, on a real lake."""

from collections.abc import Sequence
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

import storage
from stock_assets.io import LakeIOManager
from stock_assets.lineage import record_status
from stock_assets.resources import Warehouse
from stock_assets.runs import Options, Work, execute, plan
from tests.assets.conftest import Desk
from tests.storage.frames import rows


@pytest.fixture
def warehouse(tmp_path: Path) -> Warehouse:
    """A home in which AAPL looks well."""
    warehouse = Warehouse(home=str(tmp_path))
    record_status(warehouse.lake, "AAPL", "ok", calendar="XNYS", currency="USD", source="sample")
    return warehouse


def output(table: str, key: Sequence[str]) -> dg.OutputContext:
    schemes = {"schemes": ["holdout", "live"]} if table == "predictions" else {}
    return dg.build_output_context(
        asset_key=dg.AssetKey(key), partition_key="AAPL", definition_metadata={"table": table, **schemes}
    )


def test_good_rows_are_written_and_published_and_leave_the_status_alone(warehouse: Warehouse) -> None:
    LakeIOManager(warehouse=warehouse).handle_output(output("prices", ["prices"]), rows("prices", 4))
    pd.testing.assert_frame_equal(storage.table("prices", warehouse.path), warehouse.lake.read("prices"))
    assert len(warehouse.lake.read("prices")) == 4
    assert warehouse.lake.read("tickers")["status"].tolist() == ["ok"]


def test_another_tickers_damaged_file_is_warned_of_and_stops_nothing(
    warehouse: Warehouse, capfd: pytest.CaptureFixture[str]
) -> None:
    damaged = warehouse.lake.write("prices", rows("prices", ticker="MSFT"), ticker="MSFT")
    damaged.write_bytes(damaged.read_bytes()[:-20])
    LakeIOManager(warehouse=warehouse).handle_output(output("prices", ["prices"]), rows("prices", 4))
    assert f"WARNING - system - {damaged} is damaged and was not published: restore" in capfd.readouterr().err
    assert storage.table("prices", warehouse.path)["ticker"].tolist() == ["AAPL"] * 4
    assert warehouse.lake.read("tickers")["status"].tolist() == ["ok"]


@pytest.mark.parametrize(
    ("table", "key", "bad"),
    [
        ("prices", ["prices"], rows("prices").assign(close="dear")),
        ("prices", ["prices"], rows("prices").drop(columns="close")),
        ("predictions", ["predictions", "random_walk"], rows("predictions").assign(ticker="IBM")),
        ("forecasts", ["forecasts"], rows("forecasts").assign(predicted=float("nan"))),
    ],
    ids=["text for a number", "a column is missing", "another ticker's rows", "append-only, a required value missing"],
)
def test_rows_that_break_the_contract_fail_the_ticker_by_name(
    warehouse: Warehouse, table: str, key: list[str], bad: pd.DataFrame
) -> None:
    with pytest.raises(dg.Failure, match=table):
        LakeIOManager(warehouse=warehouse).handle_output(output(table, key), bad)
    assert warehouse.lake.read(table).empty
    for stored in (warehouse.lake.read("tickers"), storage.table("tickers", warehouse.path)):
        assert stored["status"].tolist() == ["failed"]
        assert stored["reason"].iloc[0].startswith(f"{'/'.join(key)}: {table}")
        assert stored["source"].tolist() == ["sample"]


@pytest.mark.slow
def test_only_the_end_of_the_lineage_says_that_a_ticker_is_well(desk: Desk) -> None:
    assert desk.run("AAPL", models=["random_walk"]).reason is None
    record_status(desk.lake, "AAPL", "failed", reason="something")
    [daily] = plan("forecast", ["AAPL"], Options(source="sample", fast=True, models=["random_walk"]))
    # `prices` says of every ticker that its bars are there.
    assets = daily.assets - {dg.AssetKey("raw_prices"), dg.AssetKey("prices")}
    scores = dg.AssetKey("forecast_scores")
    assert scores in assets

    execute(desk.instance, desk.settings, Work("AAPL", assets - {scores}, daily.run_config))
    assert desk.lake.read("tickers")["status"].tolist() == ["failed"]
    execute(desk.instance, desk.settings, Work("AAPL", assets, daily.run_config))
    status = desk.lake.read("tickers")
    assert (status["status"].tolist(), status["reason"].tolist()) == (["ok"], [None])
