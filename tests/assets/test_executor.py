"""What a run's step processes are forked from."""

import dagster as dg
import pytest
from dagster._core.definitions.job_base import InMemoryJob

from stock_assets.definitions import defs
from stock_assets.executor import executor


def preloaded(job: str) -> list[str]:
    with dg.instance_for_test() as instance:
        context = dg.InitExecutorContext(
            job=InMemoryJob(defs.resolve_job_def(job)), executor_def=executor, executor_config={}, instance=instance
        )
        assert executor.executor_creation_fn is not None
        made = executor.executor_creation_fn(context)
        return list(made._explicit_forkserver_preload)  # type: ignore[attr-defined]


def test_only_a_run_that_trains_and_is_tracked_waits_for_mlflow(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCK_ASSETS_MLFLOW_URI", "")
    mlflow = "stock_assets.tracking.preload"
    assert mlflow in preloaded("lineage")
    assert mlflow in preloaded("train")
    assert mlflow not in preloaded("forecast")
    monkeypatch.setenv("STOCK_ASSETS_MLFLOW_URI", "off")
    assert mlflow not in preloaded("lineage")
