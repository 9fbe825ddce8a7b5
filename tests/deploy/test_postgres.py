"""Dagster on PostgreSQL, from the command line: a real server, real processes, and nothing of Dagster's in SQLite."""

import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import dagster as dg
import pytest

import storage
from stock_assets import pruning
from stock_assets.cli import run as command
from stock_assets.instance import UNFINISHED, open_instance, report_dead_runs
from stock_assets.partitions import MARKET_TAG, MARKETS
from stock_assets.runs import Options, execute, plan
from stock_assets.settings import Settings
from stock_assets.universe import chosen_tickers
from storage.lake import Lake
from tests.deploy.conftest import Server

pytestmark = pytest.mark.slow

PROGRAM = str(Path(sys.executable).with_name("stock-assets"))
SMALL = ["--fast", "--models", "random_walk"]


def _start(*arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [PROGRAM, *arguments],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )


def _finish(process: "subprocess.Popen[str]") -> str:
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return output + errors


def test_two_runs_at_once_are_kept_in_postgresql_whole(on_postgres: Settings) -> None:
    for process in [_start("run", "--ticker", ticker, *SMALL) for ticker in ("AAPL", "IBM")]:
        _finish(process)
    for ticker in ("AAPL", "IBM"):
        assert len(storage.table("latest_forecasts", on_postgres.home, ticker=ticker)) == 1

    with open_instance(on_postgres) as instance:
        runs = instance.get_runs()
        assert {(run.job_name, run.tags[MARKET_TAG], run.status) for run in runs} == {
            ("lineage", "XNYS", dg.DagsterRunStatus.SUCCESS)
        }
        assert sorted(chosen_tickers(run.run_config) for run in runs) == [["AAPL"], ["IBM"]]
        assert instance.get_dynamic_partitions(str(MARKETS.name)) == ["XNYS"]
        assert set(instance.get_materialized_partitions(dg.AssetKey("forecasts"))) == {"XNYS"}
        for run in runs:
            kinds = {entry.dagster_event.event_type for entry in instance.all_logs(run.run_id) if entry.dagster_event}
            assert {dg.DagsterEventType.ASSET_MATERIALIZATION, dg.DagsterEventType.RUN_SUCCESS} <= kinds
    assert not [path for path in on_postgres.dagster_dir.rglob("*") if path.suffix == ".db"]


def _fetch(settings: Settings) -> str:
    """Fetch AAPL in this process, as the daily update does, and return the run's id."""
    with open_instance(settings) as instance:
        (work,) = plan("fetch", ["AAPL"], Options(), Lake(settings.lake_dir))
        assert execute(instance, settings, work).failed == {}
        return instance.get_run_records(limit=1)[0].dagster_run.run_id


def _is_at_a_step(instance: dg.DagsterInstance) -> bool:
    """Whether a run has begun a step. Before, though STARTED, it may not have written down its process yet."""
    begun, started = dg.DagsterEventType.STEP_START, dg.RunsFilter(statuses=[dg.DagsterRunStatus.STARTED])
    return any(instance.get_records_for_run(run.run_id, of_type=begun).records for run in instance.get_runs(started))


def test_pruning_takes_a_run_that_a_newer_one_replaced_with_its_events(on_postgres: Settings) -> None:
    first, second = _fetch(on_postgres), _fetch(on_postgres)
    with open_instance(on_postgres) as instance:
        later = datetime.now(UTC) + timedelta(minutes=1)
        runs = next(found for found in pruning.find(on_postgres, instance, before=later) if "runs" in found.name)
        pruning.remove(on_postgres, [runs])
        assert {run.run_id for run in instance.get_runs()} == {second}
        assert instance.all_logs(first) == []
        assert set(instance.get_materialized_partitions(dg.AssetKey("prices"))) == {"XNYS"}


def test_a_killed_run_is_found_and_its_work_known(on_postgres: Settings) -> None:
    _fetch(on_postgres)
    process = _start("run", "--ticker", "AAPL", "--models", "random_walk")
    with open_instance(on_postgres) as instance:
        deadline = time.monotonic() + 120
        while not _is_at_a_step(instance):
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.1)
        assert report_dead_runs(instance, on_postgres) == [], "it is alive"
        os.killpg(process.pid, signal.SIGKILL)
        process.communicate()
        (work,) = report_dead_runs(instance, on_postgres)
        assert (work.tickers, work.market, work.job) == (("AAPL",), "XNYS", "lineage")
        assert not instance.get_runs(dg.RunsFilter(statuses=UNFINISHED))


def test_a_backup_says_what_is_not_in_it_and_a_restored_home_knows_its_markets(
    on_postgres: Settings, postgres_server: Server, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    _fetch(on_postgres)
    archive, other = tmp_path / "desk.tar.gz", tmp_path / "other"
    assert command(["backup", str(archive)]) == 0
    said = capfd.readouterr().err
    assert "pg_dump" in said
    assert "postgresql://" not in said
    elsewhere = replace(on_postgres, home=other, dagster_postgres=postgres_server.new_database())
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("STOCK_ASSETS_HOME", str(other))
        assert command(["restore", str(archive)]) == 0
    with open_instance(elsewhere) as instance:
        assert instance.get_dynamic_partitions(str(MARKETS.name)) == ["XNYS"]
        assert instance.get_runs_count() == 0


@pytest.mark.parametrize(
    ("password", "port", "reason"),
    [("wr0ng", None, "password authentication failed"), ("unheard", 1, "Connection refused")],
)
def test_a_server_that_refuses_or_is_not_there_is_one_line_without_the_password(
    on_postgres: Settings,
    postgres_server: Server,
    capfd: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    password: str,
    port: int | None,
    reason: str,
) -> None:
    address = f"postgresql://dagster:{password}@127.0.0.1:{port or postgres_server.port}/postgres"
    monkeypatch.setenv("STOCK_ASSETS_DAGSTER_POSTGRES_URL", address)
    assert command(["fetch", "--ticker", "AAPL"]) == 1
    errors = capfd.readouterr().err
    (line,) = [line for line in errors.splitlines() if line.startswith("error")]
    assert f"PostgreSQL at postgresql://(password)@127.0.0.1:{port or postgres_server.port}/postgres" in line
    assert reason in line
    assert "correct STOCK_ASSETS_DAGSTER_POSTGRES_URL" in line
    assert password not in errors
