"""Doors to the outside: the warehouse, the price source, the model settings. Lazy inside, configurable from the UI."""

import logging
import time
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import dagster as dg
from pydantic import Field, PrivateAttr

from stock_assets.errors import StockAssetsError
from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.forecasting.ensembles import Ensemble, discover_ensembles
from stock_assets.forecasting.folds import FIRST_TRAIN, STEP, Plan, Window
from stock_assets.forecasting.models import Forecaster, discover
from stock_assets.health import Failure, failures_of
from stock_assets.settings import load_settings
from stock_assets.sources import open_source
from stock_assets.sources.base import Source
from stock_assets.universe import listed
from storage.lake import Lake
from storage.tickers import validate_ticker

if TYPE_CHECKING:
    from stock_assets.tracking.store import TrackingStore
    from storage.publisher import Publication

_LOG = logging.getLogger(__name__)
_PUBLISH_EVERY = 30.0  # seconds between two publications of one run


class NoTickers(StockAssetsError):
    """A run has nothing to work on."""


class Warehouse(dg.ConfigurableResource):  # type: ignore[type-arg]  # its type parameter is for resources that yield something else
    """The home: lake, published databases, models. The environment names it."""

    home: str = ""
    _written_to: bool = PrivateAttr(default=False)
    _published_at: float = PrivateAttr(default_factory=time.monotonic)

    @cached_property
    def path(self) -> Path:
        """Absolute path of the home."""
        return Path(self.home).resolve() if self.home else load_settings().home

    @cached_property
    def lake(self) -> Lake:
        """The truth."""
        return Lake(self.path / "lake")

    @cached_property
    def models(self) -> ArtifactStore:
        """Model artifacts."""
        return ArtifactStore(self.path / "models")

    def publish(self) -> "Publication":
        """Bring the published database up to the lake."""
        from storage.publisher import Publisher

        return Publisher(self.path).publish()

    def publish_later(self, log: Callable[[str], object]) -> None:
        """A step of a run has written: publish now if that was long ago, and at the end of the run in any case."""
        self._written_to = True
        if time.monotonic() - self._published_at >= _PUBLISH_EVERY:
            self._publish_run(log)

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """The run is over, however it ended: what it wrote is published."""
        if self._written_to:
            self._publish_run(context.log.warning if context.log is not None else _LOG.warning)

    def _publish_run(self, log: Callable[[str], object]) -> None:
        for line in self.publish().warnings:
            log(line)
        self._written_to, self._published_at = False, time.monotonic()


class Universe(dg.ConfigurableResource):  # type: ignore[type-arg]  # see Warehouse
    """The tickers that a run is about. Those that fail in one of its steps are out of the rest of it."""

    tickers: list[str] = Field(
        # Plainly a value: what a factory makes is not shown in the Launchpad.
        default=[],
        description='Tickers to work on, for example ["AAPL"]; none named: all of the market.',
    )
    _asked: dict[str, list[str]] = PrivateAttr(default_factory=dict)
    _failures: dict[str, dict[str, Failure]] = PrivateAttr(default_factory=dict)

    def asked(self, lake: Lake, market: str, run_id: str) -> list[str]:
        """The tickers that were asked for, the same in all steps of a run: one that is added meanwhile has to wait.

        InvalidTicker: a name in the configuration is none. NoTickers: none is named, and none trades on this market.
        """
        if run_id not in self._asked:
            named = [validate_ticker(ticker) for ticker in dict.fromkeys(self.tickers)]
            self._asked[run_id] = named or listed(lake, market)
        found = self._asked[run_id]
        if not found:
            raise NoTickers(
                f"no ticker of the universe trades on {market}",
                cure="add one with `stock-assets tickers add`, or name tickers in the run's configuration",
            )
        return found

    def failures(self, lake: Lake, run_id: str) -> dict[str, Failure]:
        """Ticker → why it is out of this run; whoever finds another one adds it."""
        if run_id not in self._failures:
            # A step in a process of its own learns here what earlier steps found.
            self._failures[run_id] = failures_of(lake, run_id)
        return self._failures[run_id]


class Tracking(dg.ConfigurableResource):  # type: ignore[type-arg]  # see Warehouse
    """MLflow. The environment names the store; nothing is imported or opened before something is tracked."""

    @cached_property
    def store(self) -> "TrackingStore":
        """The door to it."""
        from stock_assets.tracking.store import TrackingStore

        return TrackingStore.of(load_settings())


class PriceSource(dg.ConfigurableResource):  # type: ignore[type-arg]  # see Warehouse
    """Where bars come from. Empty values: what the ticker already uses, else what the environment says."""

    source: str = ""
    csv_dir: str = ""
    lookback: str = ""

    def open(self, stored_source: str | None) -> Source:
        """The source to ask for a ticker whose stored bars came from `stored_source` (None: it has none)."""
        settings = load_settings()
        name = self.source or stored_source or settings.source
        return open_source(name, csv_dir=Path(self.csv_dir) if self.csv_dir else settings.csv_dir)

    @property
    def reach(self) -> str:
        """How far back a first fetch asks, for example `5y`."""
        return self.lookback or load_settings().lookback


class ModelSettings(dg.ConfigurableResource):  # type: ignore[type-arg]  # see Warehouse
    """Settings that all models share."""

    fast: bool = False
    seed: int = 0
    target: Literal["log_return", "price"] = "log_return"
    tune: int = Field(default=0, ge=0, description="Settings to try inside each training window; 0: the defaults.")

    def ensemble(self, name: str) -> Ensemble:
        """The ensemble `name` with these settings."""
        return discover_ensembles()[name](seed=self.seed, target=self.target)

    def forecaster(self, name: str) -> Forecaster:
        """The model `name` with these settings."""
        model = discover()[name]
        return (model.fast if self.fast else model)(seed=self.seed, target=self.target)


class BacktestSettings(dg.ConfigurableResource):  # type: ignore[type-arg]  # see Warehouse
    """How the walk-forward backtest divides a history."""

    window: Window = Field(default="expanding", description="What a fold learns from: all before it, or the latest.")
    first_train: int = Field(default=FIRST_TRAIN, description="Labelled sessions the first fold learns from.")
    step: int = Field(default=STEP, description="Sessions each fold predicts.")
    refit_every: int = Field(default=0, description="Folds that share one fit; 0: what the model's file says.")

    def plan(self, refit_every: int) -> Plan:
        """The plan with a refit every so many folds, unless these settings say otherwise; may be `InvalidPlan`."""
        return Plan(self.window, self.first_train, self.step, self.refit_every or refit_every)
