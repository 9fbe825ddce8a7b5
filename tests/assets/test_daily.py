"""The daily update of several tickers as typed: in one process, from stored models, each ticker in a run of its own."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

import storage
from stock_assets.cli import run as command
from stock_assets.partitions import PARTITION_TAG, TICKERS
from stock_assets.runs import Options, execute, open_instance, plan
from storage.lake import Lake
from storage.published import generations
from tests.assets.conftest import SMALL, Desk, Writer, hear_ctrl_c

PROGRAM = str(Path(sys.executable).with_name("stock-assets"))
NAMES = ("GOOD-A", "TORN", "GOOD-B")
_BARS = {"GOOD-A": "IBM", "TORN": "AAPL", "GOOD-B": "MSFT"}


@pytest.fixture(autouse=True)
def _untracked(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCK_ASSETS_MLFLOW_URI", "off")


def train(desk: Desk, write_csv: Writer, *names: str) -> None:
    """Give tickers stored models, and their files one more session since."""
    with open_instance(desk.settings, for_many=True) as instance:
        for name in names:
            file = write_csv(name, bars_of=_BARS[name])
            lines = file.read_text().splitlines()
            file.write_text("\n".join(lines[:-1]))
            options = Options(source="csv", csv_dir=str(file.parent), fast=True, models=SMALL)
            assert execute(instance, desk.settings, plan("lineage", [name], options)[0]).reason is None
            file.write_text("\n".join(lines))


def states(desk: Desk, asset: str) -> dict[str, str]:
    """What Dagster's UI shows of each ticker's partition."""
    found = desk.instance.get_status_by_partition(dg.AssetKey(asset), NAMES, TICKERS)
    return {ticker: state.value for ticker, state in (found or {}).items() if state is not None}


@pytest.mark.slow
def test_one_bad_ticker_is_red_everywhere_the_others_are_updated_and_nothing_is_trained(
    desk: Desk, write_csv: Writer, csv_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    train(desk, write_csv, *NAMES)
    home, lake = desk.settings.home, desk.lake
    torn = csv_dir / "TORN.csv"
    torn.write_text(torn.read_text()[:-40] + "not,a,price")
    models = lake.read("models")
    kept = {name: lake.read(name, ticker="TORN") for name in ("prices", "forecasts", "predictions")}
    folders = sorted(home.glob("models/ticker=*/*/*/manifest.json"))
    published = max(generations(home))
    runs = len(desk.instance.get_runs())
    capsys.readouterr()

    code = command(["forecast", "--csv-dir", str(csv_dir), "--models", ",".join(SMALL)])

    said = capsys.readouterr().err
    assert code == 1
    assert "GOOD-A: 1 of 3" in said
    assert "FAILED TORN: raw_prices: " in said
    assert "1 of 3 failed: TORN; the others are complete" in said
    # The tables, as stored and as published.
    tickers = storage.table("tickers", home).set_index("ticker")
    assert tickers["status"].to_dict() == {"GOOD-A": "ok", "GOOD-B": "ok", "TORN": "failed"}
    assert "TORN.csv" in tickers.loc["TORN", "reason"]
    newest = storage.table("latest_forecasts", home=home).groupby("ticker")["as_of_session"].max()
    assert newest["GOOD-A"] == newest["GOOD-B"] > newest["TORN"]
    for name, rows in kept.items():
        pd.testing.assert_frame_equal(lake.read(name, ticker="TORN"), rows)
    # Dagster, read through its own storage.
    for asset in ("raw_prices", "forecasts"):
        assert states(desk, asset) == {"GOOD-A": "MATERIALIZED", "GOOD-B": "MATERIALIZED", "TORN": "FAILED"}
    made = desk.instance.get_runs()[: len(desk.instance.get_runs()) - runs]
    ended = {run.tags[PARTITION_TAG]: run.status.value for run in made if run.job_name == "forecast"}
    assert ended == {"GOOD-A": "SUCCESS", "GOOD-B": "SUCCESS", "TORN": "FAILURE"}
    # Nothing was trained, and the batch published once; what all tickers show together publishes for itself.
    pd.testing.assert_frame_equal(lake.read("models"), models)
    assert sorted(home.glob("models/ticker=*/*/*/manifest.json")) == folders
    assert max(generations(home)) <= published + 2


@pytest.mark.slow
def test_ctrl_c_keeps_and_publishes_what_is_done(desk: Desk, write_csv: Writer, csv_dir: Path) -> None:
    train(desk, write_csv, "GOOD-A", "GOOD-B")
    home = desk.settings.home
    before = Lake(home / "lake").read("forecasts")
    process = subprocess.Popen(
        [PROGRAM, "forecast", "--csv-dir", str(csv_dir), "--models", ",".join(SMALL)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_ctrl_c,
    )
    deadline = time.monotonic() + 120
    while len(desk.lake.read("prices", ticker="GOOD-B")) < 700:  # the second
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)

    assert process.returncode == 130, errors
    assert "interrupted: GOOD-B is unfinished" in errors
    forecasts = storage.table("forecasts", home=home)
    assert set(forecasts["ticker"][~forecasts["forecast_id"].isin(before["forecast_id"])]) == {"GOOD-A"}
    status = storage.table("tickers", home=home).set_index("ticker")["status"]
    assert status.to_dict() == {"GOOD-A": "ok", "GOOD-B": "failed"}


def test_events_written_through_open_connections_are_read_by_dagsters_own_storage(desk: Desk) -> None:
    @dg.asset
    def something(context: dg.AssetExecutionContext) -> None:
        context.log.info("heard")

    with open_instance(desk.settings, for_many=True) as open_:
        ids = [dg.materialize([something], instance=open_).run_id for _ in range(2)]
        known = [event.message for event in open_.all_logs(ids[0])]  # of a run whose database was closed since

    assert [event.message for event in desk.instance.all_logs(ids[0])] == known
    assert any("heard" in message for message in known)
    for run_id in ids:
        run = desk.instance.get_run_by_id(run_id)
        assert run is not None
        assert run.status is dg.DagsterRunStatus.SUCCESS
    newest = desk.instance.get_latest_materialization_event(dg.AssetKey("something"))
    assert newest is not None
    assert newest.run_id == ids[1]
    assert not list(desk.settings.dagster_dir.rglob("*.db-wal")), "all is folded in when the instance is closed"
