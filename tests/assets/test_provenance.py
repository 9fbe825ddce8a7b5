"""`trace` on forecasts of real runs: as known then, and to the same number."""

import json
import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest
from bokeh_sampledata import stocks

from stock_assets.cli import run as command
from stock_assets.instance import open_instance
from stock_assets.provenance import trace
from stock_assets.settings import Settings
from storage.lake import Lake
from tests.assets.conftest import SMALL, Desk, open_desk

pytestmark = pytest.mark.slow


def _write_csv(folder: Path, *, is_restated: bool) -> None:
    """IBM in Yahoo's download format; restated, each bar has a factor of its own."""
    bars = pd.DataFrame(stocks.IBM).tail(700).reset_index(drop=True)
    bars.columns = ["Date", "Open", "High", "Low", "Close", "Volume", "Adj Close"]
    factor = 0.99 + 0.001 * (bars.index % 7) if is_restated else 1.0
    prices = {name: bars[name] * factor for name in ("Open", "High", "Low", "Close", "Adj Close")}
    bars.assign(**prices).to_csv(folder / "IBM.csv", index=False)


@pytest.fixture(scope="module")
def restated_desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    """A desk that forecast IBM, tracked, and whose history was restated since. Shared: look, or copy it."""
    folder = tmp_path_factory.mktemp("csv")
    with pytest.MonkeyPatch.context() as environment, open_desk(tmp_path_factory.mktemp("restated")) as desk:
        environment.delenv("STOCK_ASSETS_MLFLOW_URI", raising=False)
        for job, is_restated in (("lineage", False), ("fetch", True)):
            _write_csv(folder, is_restated=is_restated)
            assert desk.run("IBM", job=job, source="csv", csv_dir=str(folder)).reason is None
        yield desk


@pytest.fixture
def copied(restated_desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A copy of that desk's home, to be changed."""
    shutil.copytree(restated_desk.settings.home, tmp_path / "copy")
    monkeypatch.setenv("STOCK_ASSETS_HOME", str(tmp_path / "copy"))
    return replace(restated_desk.settings, home=tmp_path / "copy")


def test_a_forecast_is_traced_to_its_bars_and_made_again_although_history_was_restated(restated_desk: Desk) -> None:
    desk = restated_desk
    forecasts = desk.lake.read("forecasts")
    assert set(forecasts["model"]) == set(SMALL)
    (run_id,) = set(forecasts["run_id"])
    for row in forecasts.itertuples():
        found = trace(desk.settings, row.forecast_id[:10])
        assert found["forecast"]["predicted"] == row.predicted
        assert found["reproduction"] | {"numbers": None} == {
            "is_same": True,
            "tolerance": 0.0,
            "largest_difference": 0.0,
            "numbers": None,
        }
        assert found["bars"]["restated_since"]
        assert found["bars"]["n"] == 700
        assert found["bars"]["data_version"] == row.data_version
        assert found["bars"]["last"][-1]["session"] == row.as_of_session
        assert found["training"]["found_again"]
        assert found["artifact"]["verified"]
        assert found["code"] == {"then": row.code_version, "now": row.code_version, "is_same": True}
        assert {run["run_id"] for run in found["dagster"].values()} == {run_id}
        assert {run["status"] for run in found["dagster"].values()} == {"SUCCESS"}
        (tracked,) = set(desk.lake.read("models", version=row.model_version)["mlflow_run_id"])
        assert tracked is not None
        assert found["mlflow"] == {"run_id": tracked}


def test_the_command_prints_it_for_people_and_programs(restated_desk: Desk, capsys: pytest.CaptureFixture[str]) -> None:
    (forecast_id,) = restated_desk.lake.read("forecasts", model="xgboost")["forecast_id"]

    assert command(["trace", forecast_id]) == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert f"{forecast_id}: IBM by xgboost on csv bars" in shown
    assert "every file verified" in shown
    assert "history was restated since" in shown
    assert "the same to the last bit, intervals included" in shown
    assert command(["trace", forecast_id, "--format", "json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found["reproduction"]["is_same"] is True
    assert found["bars"]["last_session"] == "2013-03-01"


def test_what_no_longer_fits_is_said_and_fails(copied: Settings, capsys: pytest.CaptureFixture[str]) -> None:
    lake = Lake(copied.lake_dir)
    row = lake.read("forecasts", model="xgboost").iloc[0]
    lake.delete("tickers", ticker="IBM")
    with open_instance(copied) as instance:
        instance.delete_run(row["run_id"])
    found = trace(copied, row["forecast_id"])
    assert found["reproduction"]["is_same"], "the forecasts of a removed ticker stay"
    assert found["dagster"]["forecast"] == {"run_id": row["run_id"], "job": None, "status": None, "started_at": None}
    (copied.models_dir / "ticker=IBM" / "xgboost" / row["model_version"] / "model.ubj").write_bytes(b"changed")

    assert command(["trace", row["forecast_id"]]) == 1
    shown = " ".join(capsys.readouterr().out.split())
    assert "no longer in Dagster's log" in shown
    assert "NOT verified" in shown
    assert "was changed: its hash starts" in shown
    assert "made again not possible" in shown


def test_bars_that_are_lost_are_said_to_be(copied: Settings) -> None:
    lake = Lake(copied.lake_dir)
    (forecast_id,) = lake.read("forecasts", model="xgboost")["forecast_id"]
    shutil.rmtree(copied.lake_dir / "raw_prices")
    lake.delete("models", ticker="IBM", model="xgboost")
    shutil.rmtree(copied.dagster_dir)
    found = trace(copied, forecast_id)
    assert "no state of raw_prices" in found["bars"]["problem"]
    assert "no state of raw_prices" in found["reproduction"]["problem"]
    assert not found["training"]["found_again"]
    assert found["dagster"]["fit"] is None
    assert not copied.dagster_dir.exists(), "looking makes nothing"


def test_a_networks_forecast_is_made_again_to_a_millionth(desk: Desk) -> None:
    assert desk.run("AAPL", models=("random_walk", "lstm_pytorch")).reason is None
    (forecast_id,) = desk.lake.read("forecasts", model="lstm_pytorch")["forecast_id"]
    made = trace(desk.settings, forecast_id)["reproduction"]
    assert made["tolerance"] == 1e-6
    assert made["is_same"], made["largest_difference"]
