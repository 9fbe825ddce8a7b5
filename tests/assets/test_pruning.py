"""What a home can do without goes, and nothing that a trace needs."""

import os
import shutil
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pandas as pd
import pytest

from stock_assets import pruning
from stock_assets.cli import run as command
from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.instance import open_instance
from stock_assets.provenance import trace
from stock_assets.settings import Settings
from storage import locks
from storage.backup import upkeep_lock
from storage.lake import Lake
from tests.assets.conftest import Desk

pytestmark = pytest.mark.slow


@pytest.fixture
def old_home(finished_desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """A copy of a finished desk, a run after it, and what nobody needs any more."""
    settings = replace(finished_desk.settings, home=tmp_path / "home")
    shutil.copytree(finished_desk.settings.home, settings.home)
    monkeypatch.setenv("STOCK_ASSETS_HOME", str(settings.home))
    store = settings.models_dir / "ticker=AAPL" / "xgboost"
    version = Lake(settings.lake_dir).read("forecasts", model="xgboost")["model_version"].iloc[0]
    shutil.copytree(store / version, store / "0123456789abcdef")
    (store / ".writing-999999-x").mkdir()
    (settings.lake_dir / "prices" / f".x.parquet.{os.uname().nodename}.999999.0.tmp").write_text("half")
    aside = settings.home / "warehouse.duckdb.wal.20200101T000000Z-1.aside"
    aside.write_text("unfinished")
    os.utime(aside, (0, 0))
    os.utime(store / "0123456789abcdef" / "manifest.json", (0, 0))
    return settings


def _found(settings: Settings, *, days: int = 30) -> dict[str, pruning.Category]:
    before = datetime.now(UTC) - timedelta(days=days)
    with open_instance(settings) as instance:
        return {category.name: category for category in pruning.find(settings, instance, before=before)}


def test_nothing_goes_before_it_is_asked_for_and_then_what_was_shown(
    old_home: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    unused = old_home.models_dir / "ticker=AAPL" / "xgboost" / "0123456789abcdef"
    before = {name: Lake(old_home.lake_dir).read(name) for name in ("raw_prices", "models", "forecasts", "predictions")}
    stored = ArtifactStore(old_home.models_dir).versions()

    assert command(["prune", "--days", "30"]) == 0
    assert "can be freed: `stock-assets prune --yes` does it" in capsys.readouterr().err
    assert unused.is_dir()

    assert command(["prune", "--days", "30", "--yes"]) == 0
    assert "MiB freed" in capsys.readouterr().err
    left = ArtifactStore(old_home.models_dir).versions()
    assert set(stored) - set(left) == {("AAPL", "xgboost", "0123456789abcdef")}
    assert not list(old_home.home.rglob(".writing-*"))
    assert not list(old_home.home.glob("*.aside"))
    assert {name: category.count for name, category in _found(old_home).items() if category.count} == {}
    lake = Lake(old_home.lake_dir)
    for name, rows in before.items():
        pd.testing.assert_frame_equal(lake.read(name), rows)
    for forecast_id in lake.read("forecasts")["forecast_id"]:
        assert trace(old_home, forecast_id)["reproduction"]["is_same"]


def test_what_is_young_stays(old_home: Settings) -> None:
    os.utime(old_home.models_dir / "ticker=AAPL" / "xgboost" / "0123456789abcdef" / "manifest.json")
    assert _found(old_home)["model folders"].count == 0


def test_a_fit_stays_as_long_as_a_forecast_names_it(old_home: Settings) -> None:
    lake, store = Lake(old_home.lake_dir), ArtifactStore(old_home.models_dir)
    for _, model, version in store.versions():
        os.utime(store.folder("AAPL", model, version) / "manifest.json", (0, 0))
    for table in ("predictions", "backtest_folds"):
        for part in lake.partitions(table):
            lake.delete(table, **part)
    for pointer in old_home.models_dir.rglob("current.json"):
        pointer.unlink()
    with open_instance(old_home) as instance:
        pruning.remove(old_home, pruning.find(old_home, instance, before=datetime.now(UTC)))
    named = set(lake.read("forecasts")["model_version"]) | set(lake.read("champion")["model_version"])
    assert {version for _, _, version in store.versions()} == named


def test_old_runs_go_and_the_newest_that_made_a_partition_stays(old_home: Settings) -> None:
    with open_instance(old_home) as instance:
        (made,) = [run.run_id for run in instance.get_runs()]
        old = instance.create_run_for_job(dg.JobDefinition(name="old", graph_def=dg.GraphDefinition("old")))
        instance.report_run_failed(old)
        time.sleep(1)  # Dagster's clock of runs has seconds
        categories = pruning.find(old_home, instance, before=datetime.now(UTC) + timedelta(seconds=1))
        (runs,) = [category for category in categories if category.name == "Dagster runs"]
        assert runs.count == 1
        assert runs.size > 0
        runs.remove()
        assert [run.run_id for run in instance.get_runs()] == [made]
        assert instance.get_materialized_partitions(dg.AssetKey("forecasts")) == {"XNYS"}
    assert not list((old_home.dagster_dir / "history" / "runs").glob(f"{old.run_id}*"))


def test_nothing_is_removed_while_a_backup_is_made(old_home: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pruning, "_PATIENCE", 0.05)
    categories = _found(old_home).values()
    with locks.shared(upkeep_lock(old_home.home)), pytest.raises(pruning.Busy, match=r"a backup of .* is being made"):
        pruning.remove(old_home, categories)
    assert (old_home.models_dir / "ticker=AAPL" / "xgboost" / "0123456789abcdef").is_dir()


def test_an_empty_home_has_nothing_and_none_is_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("STOCK_ASSETS_HOME", str(tmp_path / "none"))
    assert command(["prune"]) == 0
    assert "there is nothing in" in capsys.readouterr().err
    assert not (tmp_path / "none").exists()
