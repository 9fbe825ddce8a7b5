"""How steps run: two at a time, each a process forked from a server that has loaded what nearly every step needs."""

from collections.abc import Sequence

import dagster as dg
from dagster._core.definitions.executor_definition import multiple_process_executor_requirements

from stock_assets.settings import load_settings

# Forked from such a server, a step starts twice as fast as a fresh interpreter.
_PRELOADED = ("stock_assets.definitions", "storage.publisher", "exchange_calendars")
_PRELOADED_TO_TRACK = ("stock_assets.tracking.preload",)
_TRACKED = "model"


@dg.executor(name="steps", requirements=multiple_process_executor_requirements())
def executor(context: dg.InitExecutorContext) -> dg.Executor:
    """Dagster's multiprocess executor; only a run that trains, and is tracked, waits for MLflow to load."""
    start = {"forkserver": {"preload_modules": list(_preloaded(context))}}
    config = {"max_concurrent": 2, "start_method": start, "retries": {"enabled": {}}}
    make = dg.multiprocess_executor.executor_creation_fn
    if make is None:
        raise dg.DagsterInvariantViolationError("the multiprocess executor has no function that makes it")
    return make(context._replace(executor_config=config))


def _preloaded(context: dg.InitExecutorContext) -> Sequence[str]:
    keys = context.job.get_definition().asset_layer.executable_asset_keys
    trains = any(key.path[0] == _TRACKED for key in keys)
    return (*_PRELOADED, *_PRELOADED_TO_TRACK) if trains and load_settings().mlflow_uri else _PRELOADED
