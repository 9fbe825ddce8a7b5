"""The run about all tickers at once, which follows the runs of single tickers."""

from typing import Any

import dagster as dg

from stock_assets.terminal import failure_line


def execute_universe(instance: dg.DagsterInstance) -> str | None:
    """Make what only all tickers together can show, in this process, and wait.

    Args:
        instance: of the home that the environment names.

    Returns:
        Why it failed, in one line; None where everything was made.
    """
    from stock_assets.definitions import defs

    job = defs.resolve_job_def("universe")
    loggers: dict[str, Any] = {"terminal": {}}
    result = job.execute_in_process(run_config={"loggers": loggers}, instance=instance, raise_on_error=False)
    failures = (failure_line(event) for event in result.all_events if event.event_type_value == "STEP_FAILURE")
    return None if result.success else next(failures, "the run failed outside its steps — see it in `make dev`")
