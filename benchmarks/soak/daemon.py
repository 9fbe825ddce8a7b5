"""What a Dagster daemon does, at the replay's times: it asks the real sensors and carries out their requests.

Runs are real runs of the real jobs in this process. A request with a known run key is dropped, as the daemon drops it.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg

from benchmarks.soak.market import LoopbackPrices, Market
from benchmarks.soak.script import MODELS, TICKER
from stock_assets import definitions
from stock_assets.clock import Clock
from stock_assets.lineage import record_status
from stock_assets.resources import Warehouse
from stock_assets.runs import Options, Outcome, execute, job_named, plan
from stock_assets.sensors import SENSORS
from stock_assets.sensors.failed_runs import failed_runs
from stock_assets.settings import Settings

_RUN_TAKES = timedelta(minutes=2)
_QUIET = {"console": {"config": {"log_level": "CRITICAL"}}}


@dataclass(frozen=True)
class Ran:
    """One run that a sensor asked for."""

    sensor: str
    run_key: str | None
    job: str
    at: datetime
    reason: str | None


@dataclass
class Daemon:
    """Sensors with their cursors, and everything they had run."""

    settings: Settings
    instance: dg.DagsterInstance
    market: Market
    lookback: str
    prices: Mapping[str, str]
    without: frozenset[str] = frozenset()
    cursors: dict[str, str | None] = field(default_factory=dict)
    keys: set[tuple[str, str]] = field(default_factory=set)
    ran: list[Ran] = field(default_factory=list)

    @property
    def warehouse(self) -> Warehouse:
        """The home's."""
        return Warehouse(home=str(self.settings.home))

    def add_ticker(self) -> None:
        """What `stock-assets tickers add` does."""
        record_status(self.warehouse.lake, TICKER, "added", source="yahoo")
        self.warehouse.publish()

    def tick(self, now: datetime) -> None:
        """Ask every sensor once. Time goes on with each run that is made."""
        self.market.now = max(now, self.market.now)
        for sensor in SENSORS:
            # A failure sensor is told of each failure by the daemon; conditions over all tickers need several.
            is_asked = type(sensor) is dg.SensorDefinition and sensor.name not in self.without
            if is_asked:
                self._ask(sensor)

    def upkeep(self, now: datetime) -> None:
        """The weekly schedule."""
        self.market.now = max(now, self.market.now)
        config = {"resources": {"clock": self._clock}, "loggers": _QUIET}
        job_named("upkeep").execute_in_process(config, self.instance)

    @property
    def _clock(self) -> dict[str, Any]:
        return {"config": {"at": self.market.now.isoformat()}}

    @property
    def _resources(self) -> Mapping[str, object]:
        return {"warehouse": self.warehouse, "clock": Clock(at=self.market.now.isoformat())}

    def _ask(self, sensor: dg.SensorDefinition) -> None:
        context = dg.build_sensor_context(
            instance=self.instance, cursor=self.cursors.get(sensor.name), resources=dict(self._resources)
        )
        said: Any = sensor(context)
        if isinstance(said, dg.SkipReason):
            return
        self.cursors[sensor.name] = said.cursor or self.cursors.get(sensor.name)
        for change in said.dynamic_partitions_requests or ():
            self.instance.add_dynamic_partitions(change.partitions_def_name, list(change.partition_keys))
        for event in said.asset_events:
            self.instance.report_runless_asset_event(event)
        for request in said.run_requests or ():
            self._carry_out(sensor, request)

    def _carry_out(self, sensor: dg.SensorDefinition, request: dg.RunRequest) -> None:
        if request.run_key is not None:
            key = (sensor.name, request.run_key)
            if key in self.keys:
                return
            self.keys.add(key)
        job = request.job_name or sensor.job.name
        outcome = self._run(job)
        self.ran.append(Ran(sensor.name, request.run_key, job, self.market.now, outcome.reason))
        if outcome.reason is not None:
            self._tell_of_failure()
        self.market.now += _RUN_TAKES

    def _run(self, job: str) -> Outcome:
        [work] = plan(job, [TICKER], Options(lookback=self.lookback, models=MODELS, fast=True))
        resources = work.run_config["resources"] | {"clock": self._clock}
        resources["price_source"] = {"config": resources["price_source"]["config"] | self.prices}
        return execute(
            self.instance, self.settings, replace(work, run_config={"resources": resources, "loggers": _QUIET})
        )

    def _tell_of_failure(self) -> None:
        [record] = self.instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.FAILURE]), limit=1)
        run = record.dagster_run
        [failure] = self.instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE).records
        event = failure.event_log_entry.dagster_event
        if event is None:
            raise AssertionError("a failed run has an event that says so")
        context = dg.build_run_status_sensor_context(
            "failed_runs", event, self.instance, run, resources=dict(self._resources)
        )
        failed_runs(context.for_run_failure())


@contextmanager
def loopback(url: str, cache_dir: Path) -> Iterator[dict[str, str]]:
    """Let the code location of this process fetch its prices from a server of this machine; yields what runs need."""
    real, prices = definitions.defs, {"url": url, "cache_dir": str(cache_dir)}
    resources = {**(real.resources or {}), "price_source": LoopbackPrices(**prices)}
    definitions.defs = dg.Definitions(
        assets=real.assets,
        asset_checks=real.asset_checks,
        jobs=real.jobs,
        resources=resources,
        executor=real.executor,
        loggers=real.loggers,
    )
    try:
        yield prices
    finally:
        definitions.defs = real
