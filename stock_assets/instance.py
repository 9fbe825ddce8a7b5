"""Dagster's instance of a home, and what it knows of runs. Nothing here knows which assets or jobs there are."""

from collections.abc import Collection, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pandas as pd

from stock_assets import health
from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.health import Failure
from stock_assets.partitions import MARKET_TAG, sync_partitions
from stock_assets.settings import Settings, prepare_dagster
from stock_assets.universe import markets_of, remaining_of_run, tickers_of_run
from storage.lake import Lake

# A run may take this long between its launch and its first word.
_START_TIMEOUT = timedelta(minutes=5)
UNFINISHED = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]
_BUSY = [dg.DagsterRunStatus.QUEUED, dg.DagsterRunStatus.NOT_STARTED, *UNFINISHED]


@dataclass(frozen=True)
class CutOff:
    """The work of a killed run: its tickers that are still in the universe, `assets` of its job (None: all of them)."""

    job: str
    market: str
    tickers: tuple[str, ...]
    run_config: dict[str, Any]
    assets: frozenset[dg.AssetKey] | None


@contextmanager
def open_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The Dagster instance of a home, its partitions in step with the markets of the table `tickers`."""
    prepare_dagster(settings)
    with dg.DagsterInstance.from_config(str(Path(__file__).parent)) as instance:
        lake = Lake(settings.lake_dir)
        sync_partitions(instance, markets_of(lake, lake.read("tickers")["ticker"]))
        yield instance


def sweep(settings: Settings) -> None:
    """Remove what killed processes left half-written."""
    Lake(settings.lake_dir).sweep()
    ArtifactStore(settings.models_dir).sweep()


def busy_tickers(instance: dg.DagsterInstance, lake: Lake, *, but_for: Collection[str] = ()) -> set[str]:
    """Tickers with a run that is queued or under way; one of the jobs `but_for` does not count."""
    runs = [record.dagster_run for record in instance.get_run_records(dg.RunsFilter(statuses=_BUSY))]
    return {ticker for run in runs if run.job_name not in but_for for ticker in tickers_of_run(run, lake)}


def report_dead_runs(instance: dg.DagsterInstance, settings: Settings) -> list[CutOff]:
    """Mark every run whose process is gone (killed, or the machine went down) as failed, with its tickers."""
    lake, found = Lake(settings.lake_dir), []
    for record in instance.get_run_records(dg.RunsFilter(statuses=UNFINISHED)):
        run = record.dagster_run
        if _is_alive(instance, record):
            continue
        instance.report_run_failed(run, "The process of this run is gone; it was found so at the next start.")
        tickers = tuple(remaining_of_run(run, lake))
        blame(lake, run, tickers, Failure(run.job_name, "its run was killed", "run it again; finished fits are kept"))
        if tickers:
            assets = frozenset(run.asset_selection) if run.asset_selection else None
            config = dict(run.run_config)
            found.append(CutOff(run.job_name, run.tags.get(MARKET_TAG, ""), tickers, config, assets))
    return found


def blame(
    lake: Lake, run: dg.DagsterRun, tickers: Iterable[str], why: Failure, *, ended_at: float | None = None
) -> None:
    """Write down that a run ended early, for those of its tickers whose own failure is not written down already.

    A ticker whose row is younger than `ended_at` (seconds since 1970) has been worked on since.
    """
    rows = lake.read("tickers", ticker=list(tickers))
    is_told = (rows["status"] == health.FAILED) & (rows["run_id"] == run.run_id)
    if ended_at is not None:
        is_told |= rows["updated_at"] > pd.Timestamp(ended_at, unit="s", tz="UTC")
    for ticker in rows.loc[~is_told, "ticker"]:
        health.failed(lake, ticker, why, run.run_id)


def _is_alive(instance: dg.DagsterInstance, record: dg.RunRecord) -> bool:
    """Whether the run's own process, whose id Dagster writes down when it starts, still runs."""
    import psutil

    run_id, kind = record.dagster_run.run_id, dg.DagsterEventType.ENGINE_EVENT
    for written in instance.get_records_for_run(run_id, of_type=kind, limit=20).records:
        entry = written.event_log_entry
        pid = entry.dagster_event.engine_event_data.metadata.get("pid") if entry.dagster_event else None
        if pid is not None:
            try:
                # A process younger than the event only inherited its number, after a reboot for example.
                return bool(psutil.Process(int(str(pid.value))).create_time() <= entry.timestamp)
            except psutil.NoSuchProcess:
                return False
    return datetime.now(UTC) - record.update_timestamp < _START_TIMEOUT
