"""The run about all tickers at once, which follows the runs of single tickers."""

from typing import Any

import dagster as dg

from stock_assets.runs import job_named
from stock_assets.settings import Settings
from stock_assets.terminal import failure_line
from storage.lake import Lake


def execute_universe(instance: dg.DagsterInstance, settings: Settings) -> str | None:
    """Make what only several tickers together can show, in this process, and wait.

    Args:
        instance: of the home.
        settings: of the home that the environment names. With fewer than two evaluated tickers nothing is run.

    Returns:
        Why it failed, in one line; None where nothing did.
    """
    if len(Lake(settings.lake_dir).partitions("evaluation")) < 2:
        return None
    loggers: dict[str, Any] = {"terminal": {}}
    result = job_named("universe").execute_in_process({"loggers": loggers}, instance, raise_on_error=False)
    failures = [failure_line(event) for event in result.all_events if event.event_type_value == "STEP_FAILURE"]
    return None if result.success else "; ".join(failures) or "the run failed outside its steps — see it in `make dev`"
