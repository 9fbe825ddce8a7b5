"""One parent run in MLflow per Dagster run that trains: made once, and ended as the Dagster run ended.

The parent comes from dagster-mlflow's resource, initialised once per Dagster run, under a lock of the home, in a thread
of its own. So nobody else finds it active, no exit of a process ends it, and its search-then-create cannot race. Before
it is made, a note is left in the home; the note goes when the run has been ended. Whoever comes next, after a kill,
knows from the notes what is left to end (docs/adr/0081).
"""

import json
import logging
import warnings
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

from stock_assets.partitions import MARKET_TAG
from stock_assets.settings import Settings
from stock_assets.tracking.store import EXPERIMENT, TrackingStore, TrackingUnavailable
from stock_assets.universe import chosen_tickers

if TYPE_CHECKING:
    from mlflow.entities import Run

RUN_TAG = "dagster_run_id"
PARENT_TAG = "mlflow.parentRunId"
_NOTES = "open"
_NAMED = 10  # tickers that a tag lists
_STATUS = {
    dg.DagsterRunStatus.SUCCESS: "FINISHED",
    dg.DagsterRunStatus.FAILURE: "FAILED",
    dg.DagsterRunStatus.CANCELED: "KILLED",
}


@dataclass(frozen=True)
class Ending:
    """How a Dagster run ended: FINISHED, FAILED or KILLED, and when, in milliseconds since 1970 (None: not known)."""

    dagster_run_id: str
    status: str
    ended_at: int | None


def parent_of(store: TrackingStore, instance: dg.DagsterInstance, run: dg.DagsterRun) -> str:
    """MLflow id of the Dagster run's parent, which whoever asks first makes; else `TrackingUnavailable`."""
    with store.reaching():
        _ = store.experiment_id
        with store.locked("parents"):
            found = find_parent(store, run.run_id)
            if found is not None:
                return str(found.info.run_id)
            notes = store.folder / _NOTES
            notes.mkdir(parents=True, exist_ok=True)
            (notes / run.run_id).write_text(store.address, encoding="utf-8")
            # What MLflow calls active belongs to a thread: with this one it is gone, and the run is not ended.
            with ThreadPoolExecutor(1) as thread:
                return thread.submit(_make, store, instance, run).result()


def find_parent(store: TrackingStore, dagster_run_id: str) -> "Run | None":
    """The parent of a Dagster run, if it has one."""
    query = f"tags.{RUN_TAG} = '{dagster_run_id}' and tags.kind = 'parent'"
    found = store.client.search_runs([store.experiment_id], query, max_results=1)
    return found[0] if found else None


def _make(store: TrackingStore, instance: dg.DagsterInstance, run: dg.DagsterRun) -> str:
    market, tickers = run.tags.get(MARKET_TAG, ""), chosen_tickers(run.run_config)
    about = tickers[0] if len(tickers) == 1 else market
    tags = {
        RUN_TAG: run.run_id,
        "kind": "parent",
        "partition": market,
        "tickers": f"{len(tickers)} of {market}" if len(tickers) > _NAMED else ", ".join(tickers) or f"all of {market}",
        "dagster_job": run.job_name,
        "dagster_run_url": store.dagster_link(run.run_id),
    }
    # Tags of the context are there from the moment the run is; `extra_tags` come later, and a kill may come between.
    context = {"MLFLOW_RUN_CONTEXT": json.dumps(tags)}
    config = {"experiment_name": EXPERIMENT, "mlflow_tracking_uri": store.uri, "env": context}
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the resource calls itself beta, and asks Dagster in ways of yesterday
        from dagster_mlflow import mlflow_tracking

        try:
            with dg.build_resources(
                {"mlflow": mlflow_tracking},
                instance=instance,
                resource_config={"mlflow": {"config": config}},
                dagster_run=run,
                log_manager=dg.DagsterLogManager.create(loggers=[], dagster_run=run),
            ) as resources:
                run_id = str(resources.mlflow.active_run().info.run_id)
        except dg.DagsterResourceFunctionError as error:
            raise error.user_exception from error
    store.client.update_run(run_id, name=f"{run.job_name} {about}".strip())
    return run_id


def end_in_mlflow(instance: dg.DagsterInstance, settings: Settings) -> None:
    """Give the MLflow runs of all ended Dagster runs their status; if that cannot be done now, a later command does."""
    try:
        repair(instance, TrackingStore.of(settings))
    except TrackingUnavailable as error:
        logging.getLogger(__name__).warning("the runs in MLflow keep their status for now: %s", error)


def repair(instance: dg.DagsterInstance, store: TrackingStore) -> Sequence[str]:
    """End every parent whose Dagster run has ended, however that came about, with all its unfinished children.

    Call it after a run, at the start of a command, and at each tick of a sensor. It costs a look into a folder where
    nothing is to be done. Returns the Dagster runs whose parents were ended.

    Raises:
        TrackingUnavailable: MLflow cannot be reached; the next call tries again.
    """
    endings = _due(instance, store)
    if endings:
        end_parents(store, endings)
    return [ending.dagster_run_id for ending in endings]


def _due(instance: dg.DagsterInstance, store: TrackingStore) -> list[Ending]:
    due = []
    for note in sorted((store.folder / _NOTES).glob("*")):
        if note.read_text(encoding="utf-8") != store.address:
            continue  # of another store, which is not reached from here now
        record = instance.get_run_record_by_id(note.name)
        if record is None:
            due.append(Ending(note.name, "KILLED", None))
        elif record.dagster_run.status in _STATUS:
            ended_at = int(record.end_time * 1000) if record.end_time else None
            due.append(Ending(note.name, _STATUS[record.dagster_run.status], ended_at))
    return due


def end_parents(store: TrackingStore, endings: Sequence[Ending]) -> None:
    """Give each parent its status, and each child that is still running the same, or FAILED under a finished parent."""
    with store.reaching():
        for ending in endings:
            parent = find_parent(store, ending.dagster_run_id)
            if parent is not None:
                children = store.client.search_runs(
                    [store.experiment_id],
                    f"tags.`{PARENT_TAG}` = '{parent.info.run_id}' and attributes.status = 'RUNNING'",
                )
                of_child = "FAILED" if ending.status == "FINISHED" else ending.status
                for child in children:
                    store.client.set_terminated(child.info.run_id, of_child, ending.ended_at)
                store.client.set_terminated(parent.info.run_id, ending.status, ending.ended_at)
            (store.folder / _NOTES / ending.dagster_run_id).unlink(missing_ok=True)
