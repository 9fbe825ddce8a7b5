"""Doors to the outside: the warehouse, the price source, the model settings. Lazy inside, configurable from the UI."""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import dagster as dg
from pydantic import Field

from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.forecasting.backtest import FIRST_TRAIN, STEP, Plan, Window
from stock_assets.forecasting.models import Forecaster, discover
from stock_assets.settings import load_settings
from stock_assets.sources import open_source
from stock_assets.sources.base import Source
from storage.lake import Lake
from storage.remembering import RememberingLake

if TYPE_CHECKING:
    from stock_assets.tracking.store import TrackingStore
    from storage.publisher import Publication


_PUBLISHED_LATER: ContextVar[bool] = ContextVar("published_later", default=False)


class Warehouse(dg.ConfigurableResource):  # type: ignore[type-arg]  # its type parameter is for resources that yield something else
    """The home: lake, published databases, models. The environment names it."""

    home: str = ""

    @cached_property
    def path(self) -> Path:
        """Absolute path of the home."""
        return Path(self.home).resolve() if self.home else load_settings().home

    @cached_property
    def lake(self) -> Lake:
        """The truth, read once by the steps of one run that ask for the same rows."""
        return RememberingLake(self.path / "lake")

    @cached_property
    def models(self) -> ArtifactStore:
        """Model artifacts."""
        return ArtifactStore(self.path / "models")

    @cached_property
    def models_in_use(self) -> ArtifactStore:
        """The same store, which keeps what it has loaded: for steps of one run that ask for the same fits."""
        return self.models.remembering()

    def publish(self) -> "Publication":
        """Bring the published database up to the lake."""
        from storage.publisher import Publisher

        return Publisher(self.path).publish()

    def publish_step(self) -> "Publication | None":
        """Publish what a step wrote; None inside `published_later`."""
        return None if _PUBLISHED_LATER.get() else self.publish()

    @contextmanager
    def published_later(self) -> Iterator[None]:
        """Let the steps of this process write without publishing; whoever enters publishes."""
        token = _PUBLISHED_LATER.set(True)
        try:
            yield
        finally:
            _PUBLISHED_LATER.reset(token)


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

    def forecaster(self, name: str) -> Forecaster:
        """The model `name` with these settings."""
        model = discover()[name]
        make = model.fast if self.fast else model
        return make(seed=self.seed, target=self.target)


class BacktestSettings(dg.ConfigurableResource):  # type: ignore[type-arg]  # see Warehouse
    """How the walk-forward backtest divides a history."""

    window: Window = Field(default="expanding", description="What a fold learns from: all before it, or the latest.")
    first_train: int = Field(default=FIRST_TRAIN, description="Labelled sessions the first fold learns from.")
    step: int = Field(default=STEP, description="Sessions each fold predicts.")
    refit_every: int = Field(default=0, description="Folds that share one fit; 0: what the model's file says.")

    def plan(self, model: type[Forecaster]) -> Plan:
        """The plan for one model.

        Raises:
            InvalidPlan: a value that is out of range.
        """
        refit_every = self.refit_every or model.backtest_refit_every
        return Plan(self.window, self.first_train, self.step, refit_every)
