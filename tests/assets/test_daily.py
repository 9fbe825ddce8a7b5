"""The daily update of several tickers as typed: one run, from stored models, each ticker isolated from the others."""

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
from stock_assets.partitions import MARKET_TAG
from storage.lake import Lake
from storage.published import generations
from tests.assets.conftest import SMALL, Desk, Writer, hear_ctrl_c

PROGRAM = str(Path(sys.executable).with_name("stock-assets"))
NAMES = ("GOOD-A", "TORN", "GOOD-B")
_BARS = {"GOOD-A": "IBM", "TORN": "AAPL", "GOOD-B": "MSFT"}


def train(desk: Desk, write_csv: Writer, *names: str) -> list[str]:
    """Give tickers stored models, and their files one more session since. Returns the flags of the daily update."""
    files = {name: write_csv(name, bars_of=_BARS[name]) for name in names}
    complete = {file: file.read_text() for file in files.values()}
    for file, text in complete.items():
        file.write_text("\n".join(text.splitlines()[:-1]))
    folder = str(next(iter(complete)).parent)
    assert desk.run(*names, source="csv", csv_dir=folder).failed == {}
    for file, text in complete.items():
        file.write_text(text)
    return ["--csv-dir", folder, "--models", ",".join(SMALL)]


@pytest.mark.slow
def test_one_bad_ticker_is_red_everywhere_the_others_are_updated_and_nothing_is_trained(
    desk: Desk, write_csv: Writer, csv_dir: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = train(desk, write_csv, *NAMES)
    home, lake = desk.settings.home, desk.lake
    torn = csv_dir / "TORN.csv"
    torn.write_text(torn.read_text()[:-40] + "not,a,price")
    models = lake.read("models")
    kept = {name: lake.read(name, ticker="TORN") for name in ("prices", "forecasts", "predictions")}
    folders = sorted(home.glob("models/ticker=*/*/*/manifest.json"))
    published = max(generations(home))
    capsys.readouterr()

    code = command(["forecast", *flags])

    said = capsys.readouterr().err
    assert code == 1
    assert "FAILED TORN: raw_prices: " in said
    assert "1 of 3 failed: TORN; the others are complete" in said
    # The tables, as stored and as published.
    tickers = storage.table("tickers", home).set_index("ticker")
    assert tickers["status"].to_dict() == {"GOOD-A": "ok", "GOOD-B": "ok", "TORN": "failed"}
    assert tickers.loc["TORN", "stage"] == "raw_prices"
    assert "TORN.csv" in tickers.loc["TORN", "reason"]
    newest = storage.table("latest_forecasts", home=home).groupby("ticker")["as_of_session"].max()
    assert newest["GOOD-A"] == newest["GOOD-B"] > newest["TORN"]
    for name, rows in kept.items():
        pd.testing.assert_frame_equal(lake.read(name, ticker="TORN"), rows)
    # Dagster, read through its own storage: one run, which succeeded, and checks that name the bad ticker.
    daily, trained = desk.instance.get_runs()
    assert (daily.job_name, trained.job_name) == ("forecast", "lineage")
    assert (daily.tags[MARKET_TAG], daily.status) == ("XNYS", dg.DagsterRunStatus.SUCCESS)
    for asset in ("raw_prices", "forecasts"):
        assert desk.made(asset) == {"GOOD-A", "GOOD-B"}
        complete = desk.checks(asset)["complete"]
        assert (complete.passed, complete.severity) == (False, dg.AssetCheckSeverity.ERROR)
        assert set(complete.metadata["tickers"].value) == {"TORN"}
    # Nothing was trained, and the run published once or twice.
    pd.testing.assert_frame_equal(lake.read("models"), models)
    assert sorted(home.glob("models/ticker=*/*/*/manifest.json")) == folders
    assert max(generations(home)) <= published + 2


@pytest.mark.slow
def test_a_model_that_cannot_be_asked_is_missing_from_its_tickers_forecasts_and_nothing_else_is(
    desk: Desk, write_csv: Writer, capsys: pytest.CaptureFixture[str]
) -> None:
    flags = train(desk, write_csv, "GOOD-A", "GOOD-B")
    before = desk.lake.read("forecasts")
    for manifest in desk.settings.models_dir.glob("ticker=GOOD-A/xgboost/*/manifest.json"):
        manifest.write_text("torn")

    assert command(["forecast", *flags]) == 0, capsys.readouterr().err

    forecasts = desk.lake.read("forecasts")
    new = forecasts[~forecasts["forecast_id"].isin(before["forecast_id"])]
    assert sorted(zip(new["ticker"], new["model"], strict=True)) == [
        ("GOOD-A", "random_walk"),
        ("GOOD-B", "random_walk"),
        ("GOOD-B", "xgboost"),
    ]
    complete = desk.checks("predictions/xgboost")["complete"]
    assert (complete.passed, complete.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert set(complete.metadata["tickers"].value) == {"GOOD-A"}
    assert desk.checks("forecasts")["complete"].passed
    assert desk.statuses() == {"GOOD-A": "ok", "GOOD-B": "ok"}


@pytest.mark.slow
def test_ctrl_c_keeps_and_publishes_what_is_done_and_the_next_command_goes_on(desk: Desk, write_csv: Writer) -> None:
    flags = train(desk, write_csv, "GOOD-A", "GOOD-B")
    home = desk.settings.home
    before = Lake(home / "lake").read("forecasts")
    process = subprocess.Popen(
        [PROGRAM, "forecast", *flags],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=hear_ctrl_c,
    )
    deadline = time.monotonic() + 120
    while len(desk.lake.read("prices", ticker="GOOD-B")) < 700:
        assert time.monotonic() < deadline
        assert process.poll() is None
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    _, errors = process.communicate(timeout=120)

    assert process.returncode == 130, errors
    assert "interrupted: GOOD-A, GOOD-B unfinished" in errors
    assert len(storage.table("prices", home=home)) == 1400, "the new bars are there"
    pd.testing.assert_frame_equal(storage.table("forecasts", home=home), before)
    tickers = storage.table("tickers", home=home).set_index("ticker")
    assert tickers["status"].to_dict() == {"GOOD-A": "failed", "GOOD-B": "failed"}
    assert set(tickers["cure"]) == {"run it again; finished fits are kept"}

    assert command(["forecast", *flags]) == 0

    newest = storage.table("latest_forecasts", home=home).groupby("ticker")["as_of_session"].max()
    assert (newest > before["as_of_session"].max()).all()
    assert desk.statuses() == {"GOOD-A": "ok", "GOOD-B": "ok"}
