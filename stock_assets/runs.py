"""Real Dagster runs, started from the command line, in the same instance the UI shows."""

import logging
import re
import signal
import socket
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
from dagster._core.instance.ref import InstanceRef

from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.lineage import record_status
from stock_assets.partitions import PARTITION_TAG, sync_partitions
from stock_assets.resources import Warehouse
from stock_assets.settings import Settings, prepare_dagster
from stock_assets.terminal import failure_line
from stock_assets.tracking.parents import repair
from stock_assets.tracking.store import TrackingStore, TrackingUnavailable
from storage.lake import Lake

# A run may take this long between its launch and its first word.
_START_TIMEOUT = timedelta(minutes=5)
_STOPS = {signal.SIGINT, signal.SIGTERM}
_INTERRUPTED = "it was interrupted — run it again; finished fits are kept"
_KILLED = "its run was killed — run it again; finished fits are kept"
_TERMINAL: dict[str, Any] = {"terminal": {}}
SHORT_JOBS = frozenset({"fetch", "forecast"})
"""Jobs whose steps are many and short in every setting: a run of theirs stays in one process."""
_OPEN_STORAGE: dict[str, Any] = {
    "custom": {
        "module": "stock_assets.event_storage",
        "class": "OpenStorage",
        "config": {"base_dir": {"env": "STOCK_ASSETS_DAGSTER_DIR"}},
    }
}
UNFINISHED = [dg.DagsterRunStatus.STARTING, dg.DagsterRunStatus.STARTED, dg.DagsterRunStatus.CANCELING]


@dataclass(frozen=True)
class Options:
    """What a command may change about a run. Empty values leave the defaults."""

    source: str = ""
    csv_dir: str = ""
    lookback: str = ""
    models: Sequence[str] = ()
    fast: bool = False
    tune: int = 0
    window: str = ""
    first_train: int = 0
    step: int = 0
    refit_every: int = 0

    def run_config(self) -> dict[str, Any]:
        """As Dagster's run configuration."""
        plan = {name: getattr(self, name) for name in ("window", "first_train", "step", "refit_every")}
        resources = {
            "price_source": {"source": self.source, "csv_dir": self.csv_dir, "lookback": self.lookback},
            "model_settings": {"fast": self.fast, "tune": self.tune},
            "backtest_settings": {name: value for name, value in plan.items() if value},
        }
        return {
            "resources": {name: {"config": config} for name, config in resources.items()},
            "loggers": _TERMINAL,
        }


@dataclass(frozen=True)
class Work:
    """One run to be made: which assets of which job, for which ticker, with which configuration."""

    ticker: str
    assets: frozenset[dg.AssetKey]
    run_config: dict[str, Any]
    job: str = "lineage"

    @property
    def is_small(self) -> bool:
        """Whether starting step processes would take longer than their work."""
        settings = self.run_config.get("resources", {}).get("model_settings", {})
        return self.job in SHORT_JOBS or bool(settings.get("config", {}).get("fast"))

    def covers(self, other: "Work") -> bool:
        """Whether this run makes everything that `other` would."""
        return self.ticker == other.ticker and self.assets >= other.assets


@dataclass(frozen=True)
class Outcome:
    """How a run ended: `reason` is None when everything asked for was made."""

    ticker: str
    reason: str | None
    is_interrupted: bool = False


@contextmanager
def open_instance(settings: Settings, *, for_many: bool = False) -> Iterator[dg.DagsterInstance]:
    """The Dagster instance of a home, its partitions in step with the table `tickers`.

    Args:
        settings: of the home.
        for_many: keep its databases open, since this process itself makes many runs. The files are the same. Nothing
            changes where PostgreSQL is chosen.
    """
    prepare_dagster(settings)
    reference = InstanceRef.from_dir(
        str(settings.dagster_dir),
        config_dir=str(Path(__file__).parent),
        overrides={"storage": _OPEN_STORAGE} if for_many and not settings.dagster_postgres else {},
    )
    with dg.DagsterInstance.from_ref(reference) as instance:
        sync_partitions(instance, Lake(settings.lake_dir).read("tickers")["ticker"])
        yield instance


def job_named(name: str) -> dg.JobDefinition:
    """One of the jobs. A function, because step processes rebuild it from here."""
    from stock_assets.definitions import defs

    return defs.resolve_job_def(name)


def plan(job: str, tickers: Sequence[str], options: Options) -> list[Work]:
    """A job's runs, with only the named models' own assets (none named: all of them)."""
    chosen = frozenset(
        key for key in _assets_of(job) if len(key.path) == 1 or not options.models or key.path[-1] in options.models
    )
    return [Work(ticker, chosen, options.run_config(), job) for ticker in tickers]


def _assets_of(job: str) -> frozenset[dg.AssetKey]:
    return frozenset(job_named(job).asset_layer.executable_asset_keys)


def sweep(settings: Settings) -> None:
    """Remove what killed processes left half-written."""
    Lake(settings.lake_dir).sweep()
    ArtifactStore(settings.models_dir).sweep()


def execute(instance: dg.DagsterInstance, settings: Settings, work: Work) -> Outcome:
    """Make one run and wait. A failed ticker's row in `tickers` says so, whatever became of the run's processes."""
    sync_partitions(instance, [work.ticker])
    with _stops_noticed() as was_stopped:
        outcome = _run(instance, work)
        if outcome.reason is not None and was_stopped():
            outcome = Outcome(work.ticker, _INTERRUPTED, is_interrupted=True)
    if outcome.reason is not None:
        _mark_failed(settings, work.ticker, f"{work.job}: {outcome.reason}")
    else:
        _mark_recovered(settings, work)
    _end_in_mlflow(instance, settings)
    return outcome


def _run(instance: dg.DagsterInstance, work: Work) -> Outcome:
    # A whole job is asked for by its name alone. Where assets are named, Dagster adds all their checks, also the one
    # that jobs leave out because it looks at every ticker: each ticker's run would look at all of them.
    named = None if work.assets == _assets_of(work.job) else sorted(work.assets)
    if work.is_small:
        small: Any = job_named(work.job).execute_in_process(
            run_config=work.run_config,
            partition_key=work.ticker,
            instance=instance,
            asset_selection=named,
            raise_on_error=False,
        )
        return _outcome(work.ticker, small.success, small.all_events)
    with dg.execute_job(
        dg.build_reconstructable_job(__name__, job_named.__name__, (work.job,)),
        instance=instance,
        run_config=work.run_config,
        tags={PARTITION_TAG: work.ticker},
        asset_selection=named,
    ) as result:
        return _outcome(work.ticker, result.success, result.all_events)


@contextmanager
def _stops_noticed() -> Iterator[Callable[[], bool]]:
    """Whether Ctrl-C or SIGTERM came, even where a library makes an error of its own of it, as DuckDB does."""
    reading, writing = socket.socketpair()
    with reading, writing:
        reading.setblocking(False)
        writing.setblocking(False)
        before = signal.set_wakeup_fd(writing.fileno(), warn_on_full_buffer=False)
        try:
            yield lambda: bool(_STOPS & set(_available(reading)))
        finally:
            signal.set_wakeup_fd(before)


def _available(reading: socket.socket) -> bytes:
    try:
        return reading.recv(4096)
    except BlockingIOError:
        return b""


def report_dead_runs(instance: dg.DagsterInstance, settings: Settings) -> list[Work]:
    """Mark as failed every run whose process is gone (killed, or the machine went down), and return their work."""
    unfinished = []
    for record in instance.get_run_records(dg.RunsFilter(statuses=UNFINISHED)):
        run = record.dagster_run
        if _is_alive(instance, record):
            continue
        instance.report_run_failed(run, "The process of this run is gone; it was found so at the next start.")
        ticker = run.tags.get(PARTITION_TAG, "")
        if Lake(settings.lake_dir).read("tickers", ticker=ticker).empty:
            continue  # removed from the universe since
        _mark_failed(settings, ticker, f"{run.job_name}: {_KILLED}")
        config = {**run.run_config, "loggers": _TERMINAL}
        # A run without a selection, as sensors start them, is its whole job.
        assets = frozenset(run.asset_selection or _assets_of(run.job_name))
        unfinished.append(Work(ticker, assets, config, run.job_name))
    _end_in_mlflow(instance, settings)
    return unfinished


def _end_in_mlflow(instance: dg.DagsterInstance, settings: Settings) -> None:
    """Give the MLflow runs of all ended Dagster runs their status; if that cannot be done now, a later command does."""
    try:
        repair(instance, TrackingStore.of(settings))
    except TrackingUnavailable as error:
        logging.getLogger(__name__).warning("the runs in MLflow keep their status for now: %s", error)


def _mark_failed(settings: Settings, ticker: str, reason: str) -> None:
    """Write down a failure that no asset could: its process was interrupted or killed."""
    warehouse = Warehouse(home=str(settings.home))
    stored = warehouse.lake.read("tickers", ticker=ticker)
    if len(stored) and stored["status"].iloc[0] != "failed":
        record_status(warehouse.lake, ticker, "failed", reason=reason)
        warehouse.publish_step()


def _mark_recovered(settings: Settings, work: Work) -> None:
    """Clear a failure that this work has made good. Assets of other jobs do so themselves; a backtest has none such."""
    warehouse = Warehouse(home=str(settings.home))
    stored = warehouse.lake.read("tickers", ticker=work.ticker)
    if stored.empty or stored["status"].iloc[0] != "failed":
        return
    # A reason begins with the asset that failed, or with the job whose process was stopped.
    culprit = re.split("[: ]", stored["reason"].iloc[0])[0]
    if culprit == work.job or culprit in {key.to_user_string() for key in work.assets}:
        record_status(warehouse.lake, work.ticker, "ok")
        warehouse.publish_step()


def _outcome(ticker: str, success: bool, events: Sequence[dg.DagsterEvent]) -> Outcome:
    if success:
        return Outcome(ticker, None)
    steps: dict[str, list[str]] = {}
    for event in events:
        if event.event_type_value == "STEP_FAILURE":
            steps.setdefault(failure_line(event), []).append(str(event.step_key).replace("__", "/"))
    reasons = [f"{', '.join(names)}: {line}" for line, names in steps.items()]
    return Outcome(ticker, "; ".join(reasons) or "the run failed outside its steps — see it in `make dev`")


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
