"""One child run in MLflow per (model, ticker) of a Dagster run: begun with the first fit, ended whatever happens."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import dagster as dg
import pandas as pd

from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.forecasting.stored_model import Trained
from stock_assets.tracking import content
from stock_assets.tracking.parents import PARENT_TAG, RUN_TAG, parent_of
from stock_assets.tracking.registry import register
from stock_assets.tracking.store import TrackingStore, TrackingUnavailable

_SCORED = ("validation", "test")


@dataclass
class FitTracking:
    """The child run of one model and ticker, while an asset trains it.

    `run_id` is made here, or found to have tracked the same fit before. None: not tracked.
    """

    store: TrackingStore
    context: dg.AssetExecutionContext
    ticker: str
    model: str
    warn: Callable[[str], object]
    run_id: str | None = None
    is_ours: bool = False
    problem: str | None = None
    seconds: float = field(default=0.0)

    def begin(self) -> None:
        """A fit is about to be made: the child is there, and running, from now on. Once is enough."""
        if self.run_id is None and self.store.is_on and self.problem is None:
            with self._surviving(), self.store.reaching():
                self._create()

    def record(self, trained: Trained, predictions: pd.DataFrame, models: ArtifactStore) -> None:
        """Write down finished fits; if they were all found in the store, only link the run that tracked them."""
        if not self.store.is_on or self.problem is not None:
            return
        started = time.perf_counter()
        with self._surviving(), self.store.reaching():
            if self.run_id is None:
                self.run_id = self._tracked_before(trained)
            if self.run_id is None:
                self._create()
            if self.is_ours:
                self._write(trained, predictions[predictions["role"].isin(_SCORED)], models)
        self.seconds = time.perf_counter() - started

    def failed(self, status: str) -> None:
        """The work was cut short: say so now. A child that cannot be told ends with its parent."""
        if self.is_ours and self.run_id is not None:
            with self._surviving(), self.store.reaching():
                self.store.client.set_terminated(self.run_id, status)

    def metadata(self) -> dict[str, dg.MetadataValue]:
        """For the asset: where its run is seen, or why there is none."""
        if self.problem is not None:
            return {"mlflow": dg.MetadataValue.text(f"not tracked: {self.problem}")}
        if self.run_id is None:
            return {"mlflow": dg.MetadataValue.text("off")}
        return {
            "mlflow_run": dg.MetadataValue.url(self.store.link(self.run_id)),
            "mlflow_run_id": dg.MetadataValue.text(self.run_id),
            "mlflow_seconds": dg.MetadataValue.float(round(self.seconds, 3)),
        }

    @contextmanager
    def _surviving(self) -> Iterator[None]:
        try:
            yield
        except TrackingUnavailable as error:
            self.run_id, self.problem = None, str(error)
            self.warn(f"this fit of {self.model} is not tracked: {error}")

    def _tracked_before(self, trained: Trained) -> str | None:
        query = (
            f"tags.final_version = '{trained.final.manifest.version}' and tags.ticker = '{self.ticker}' "
            "and attributes.status = 'FINISHED'"
        )
        found = self.store.client.search_runs([self.store.experiment_id], query, max_results=1)
        return str(found[0].info.run_id) if found else None

    def _create(self) -> None:
        parent = parent_of(self.store, self.context.instance, self.context.run)
        asset = f"model/{self.model}"
        tags = {
            PARENT_TAG: parent,
            RUN_TAG: self.context.run.run_id,
            "kind": "fit",
            "dagster_run_url": self.store.dagster_link(self.context.run.run_id),
            "asset": asset,
            "partition": str(self.context.partition_key),
            "ticker": self.ticker,
            "model": self.model,
            "mlflow.source.name": asset,
            "mlflow.source.type": "JOB",
        }
        name = f"{self.ticker} {self.model}"
        run = self.store.client.create_run(self.store.experiment_id, tags=tags, run_name=name)
        self.run_id, self.is_ours = str(run.info.run_id), True

    def _write(self, trained: Trained, predictions: pd.DataFrame, models: ArtifactStore) -> None:
        from mlflow.entities import Param, RunTag

        run_id, client = str(self.run_id), self.store.client
        client.log_batch(
            run_id,
            metrics=content.measurements(trained, predictions, int(time.time() * 1000)),
            params=[Param(name, value) for name, value in content.parameters(trained).items()],
            tags=[RunTag(name, value) for name, value in content.identity(trained).items()],
        )
        client.log_inputs(run_id, content.datasets(trained))
        content.log_files(client, run_id, trained, models, predictions)
        register(self.store, run_id, ticker=self.ticker, model=self.model, version=trained.final.manifest.version)
        client.set_terminated(run_id)


@contextmanager
def track_fit(
    store: TrackingStore, context: dg.AssetExecutionContext, *, ticker: str, model: str, warn: Callable[[str], object]
) -> Iterator[FitTracking]:
    """Track the training of one model for one ticker inside its step. Whatever MLflow does, the training goes on.

    Leaving with an error ends the child as FAILED, with an interruption as KILLED.
    """
    tracking = FitTracking(store, context, ticker, model, warn)
    try:
        yield tracking
    except Exception:
        tracking.failed("FAILED")
        raise
    except BaseException:
        tracking.failed("KILLED")
        raise
