"""Real Dagster runs, started from the command line, in the same instance the UI shows."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.instance.ref import InstanceRef

from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.partitions import sync_partitions
from stock_assets.settings import Settings, prepare_dagster
from stock_assets.terminal import failure_line
from storage.lake import Lake

_PARTITION_TAG = "dagster/partition"
# A run may take this long between its launch and its first word.
_START_TIMEOUT = timedelta(minutes=5)
_UNFINISHED = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


@dataclass(frozen=True)
class Options:
    """What a command may change about a run. Empty values leave the defaults."""

    source: str = ""
    csv_dir: str = ""
    lookback: str = ""
    models: Sequence[str] = ()
    fast: bool = False

    def run_config(self) -> dict[str, Any]:
        """As Dagster's run configuration."""
        source = {"source": self.source, "csv_dir": self.csv_dir, "lookback": self.lookback}
        return {
            "resources": {"price_source": {"config": source}, "model_settings": {"config": {"fast": self.fast}}},
            "loggers": {"terminal": {}},
        }


@dataclass(frozen=True)
class Outcome:
    """How a run ended: `reason` is None when everything asked for was made."""

    ticker: str
    run_id: str
    reason: str | None


@contextmanager
def open_instance(settings: Settings) -> Iterator[dg.DagsterInstance]:
    """The Dagster instance of a home, its partitions in step with the table `tickers`."""
    prepare_dagster(settings)
    reference = InstanceRef.from_dir(str(settings.dagster_dir), config_dir=str(Path(__file__).parent))
    with dg.DagsterInstance.from_ref(reference) as instance:
        sync_partitions(instance, Lake(settings.lake_dir).read("tickers")["ticker"])
        yield instance


def lineage_job() -> dg.JobDefinition:
    """The job that holds every asset. A function, because step processes rebuild it by name."""
    from stock_assets.definitions import defs

    return defs.resolve_job_def("lineage")


def select(job: str, models: Sequence[str]) -> list[dg.AssetKey]:
    """The assets of a job, with only the named models' own assets (none named: all of them)."""
    from stock_assets.definitions import defs

    keys = defs.resolve_job_def(job).asset_layer.executable_asset_keys
    return sorted(key for key in keys if len(key.path) == 1 or not models or key.path[-1] in models)


def sweep(settings: Settings) -> None:
    """Remove what killed processes left half-written."""
    Lake(settings.lake_dir).sweep()
    ArtifactStore(settings.models_dir).sweep()


def execute(instance: dg.DagsterInstance, ticker: str, assets: Sequence[dg.AssetKey], options: Options) -> Outcome:
    """Materialise `assets` for one ticker and wait.

    Small settings run in this process, since starting step processes would take longer than their work.
    """
    sync_partitions(instance, [ticker])
    if options.fast:
        result: Any = lineage_job().execute_in_process(
            run_config=options.run_config(),
            partition_key=ticker,
            instance=instance,
            asset_selection=assets,
            raise_on_error=False,
        )
        return _outcome(ticker, result.run_id, result.success, result.all_events)
    with dg.execute_job(
        dg.reconstructable(lineage_job),
        instance=instance,
        run_config=options.run_config(),
        tags={_PARTITION_TAG: ticker},
        asset_selection=assets,
    ) as result:
        return _outcome(ticker, result.run_id, result.success, result.all_events)


def report_dead_runs(instance: dg.DagsterInstance) -> list[Outcome]:
    """Mark as failed every run whose process is gone (killed, or the machine went down), and return them."""
    dead = []
    for record in instance.get_run_records(dg.RunsFilter(statuses=_UNFINISHED)):
        run = record.dagster_run
        if _is_alive(instance, record):
            continue
        instance.report_run_failed(run, "The process of this run is gone; it was found so at the next start.")
        dead.append(Outcome(run.tags.get(_PARTITION_TAG, ""), run.run_id, "its process was gone"))
    return dead


def _outcome(ticker: str, run_id: str, success: bool, events: Sequence[dg.DagsterEvent]) -> Outcome:
    failures = [event for event in events if event.event_type_value == "STEP_FAILURE"]
    reason = "; ".join(f"{event.step_key}: {failure_line(event)}" for event in failures)
    return Outcome(ticker, run_id, None if success else reason or "the run failed outside its steps")


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
