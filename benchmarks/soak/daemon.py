"""What a Dagster daemon does, at the replay's times: it asks the real sensors and carries out their requests.

Runs are real runs of the real jobs in this process. A request with a known run key is dropped, as the daemon drops it.
"""

from collections.abc import Iterator, Mapping, Sequence
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
from stock_assets.resources import Warehouse
from stock_assets.runs import Options, Outcome, execute, plan
from stock_assets.sensors import SENSORS
from stock_assets.sensors.failed_runs import failed_runs
from stock_assets.settings import Settings
from stock_assets.universe import chosen_tickers
from storage.universe import add_ticker

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
        add_ticker(self.warehouse.lake, TICKER, "yahoo", now=self.market.now)
        self.warehouse.publish()

    def tick(self, now: datetime) -> None:
        """Ask every sensor once. Time goes on with each run that is made."""
        self.market.now = max(now, self.market.now)
        for sensor in SENSORS:
            # The failure sensor is told of each failure by the daemon.
            is_asked = type(sensor) is dg.SensorDefinition and sensor.name not in self.without
            if is_asked:
                self._ask(sensor)

    def upkeep(self, now: datetime) -> None:
        """The weekly schedule."""
        self.market.now = max(now, self.market.now)
        config = {"resources": {"clock": self._clock}, "loggers": _QUIET}
        definitions.defs.resolve_job_def("upkeep").execute_in_process(config, self.instance)

    @property
    def _clock(self) -> dict[str, Any]:
        return {"config": {"at": self.market.now.isoformat()}}

    @property
    def _resources(self) -> Mapping[str, object]:
        return {"warehouse": self.warehouse, "clock": Clock(at=self.market.now.isoformat())}

    def _ask(self, sensor: dg.SensorDefinition) -> None:
        with dg.build_sensor_context(
            instance=self.instance, cursor=self.cursors.get(sensor.name), resources=dict(self._resources)
        ) as context:
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
        outcome = self._run(job, chosen_tickers(request.run_config))
        reason = "; ".join(outcome.failed.values()) or None
        self.ran.append(Ran(sensor.name, request.run_key, job, self.market.now, reason))
        self._tell_of_failures()
        self.market.now += _RUN_TAKES

    def _run(self, job: str, tickers: Sequence[str]) -> Outcome:
        options = Options(lookback=self.lookback, models=MODELS, fast=True)
        [work] = plan(job, tickers, options, self.warehouse.lake)
        resources = work.run_config["resources"] | {"clock": self._clock}
        resources["price_source"] = {"config": resources["price_source"]["config"] | self.prices}
        return execute(
            self.instance, self.settings, replace(work, run_config={"resources": resources, "loggers": _QUIET})
        )

    def _tell_of_failures(self) -> None:
        """Tell the failure sensor of a run that failed as a whole; `failed_tickers` looks for itself at each tick."""
        [record] = self.instance.get_run_records(limit=1)
        run = record.dagster_run
        if run.status != dg.DagsterRunStatus.FAILURE:
            return
        [failure] = self.instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE).records
        event = failure.event_log_entry.dagster_event
        if event is None:
            raise AssertionError("a failed run has an event that says so")
        context = dg.build_run_status_sensor_context(
            "failed_runs", event, self.instance, run, resources=dict(self._resources)
        )
        with context.for_run_failure() as opened:
            failed_runs(opened)


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
