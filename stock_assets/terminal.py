"""How a run looks on the terminal: one line per step and per word of progress, without Dagster's ids."""

import logging
from typing import Any

import dagster as dg

from stock_assets.partitions import MARKET_TAG

# Dagster's word on each step after a failed one: the failure itself is said already.
_CONSEQUENCE = "Not executing."
_STEP_ENDS = {"STEP_SUCCESS": "done", "STEP_FAILURE": "FAILED", "STEP_SKIPPED": "skipped"}


class TerminalFormatter(logging.Formatter):
    """`12:00:01  XNYS  model/xgboost  fold 1 of 3`."""

    def format(self, record: logging.LogRecord) -> str:
        """One line; the market comes from the run's tags, the asset from the step's key."""
        meta = _meta(record)
        market = meta.get("job_tags", {}).get(MARKET_TAG, "")
        asset = (meta.get("step_key") or "").replace("__", "/")
        clock = self.formatTime(record, "%H:%M:%S")
        return f"{clock}  {market:<5} {asset:<26} {_message(record, meta)}"


class StepsAndProgress(logging.Filter):
    """Lets through the end of each step, what assets say, and warnings; not Dagster's own bookkeeping."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether a person wants to see this record."""
        event = _meta(record).get("dagster_event")
        if event is not None:
            return event.event_type_value in _STEP_ENDS
        return record.levelno >= logging.INFO and not record.getMessage().count(_CONSEQUENCE)


def make_logger(_: dg.InitLoggerContext) -> logging.Logger:
    """A logger on stderr that shows steps and progress only."""
    logger = logging.Logger("stock-assets", logging.DEBUG)
    handler = logging.StreamHandler()
    handler.addFilter(StepsAndProgress())
    handler.setFormatter(TerminalFormatter())
    logger.addHandler(handler)
    return logger


terminal_logger = dg.LoggerDefinition(make_logger, description="Compact progress for people at a terminal.")


def _meta(record: logging.LogRecord) -> dict[str, Any]:
    return getattr(record, "dagster_meta", {})


def _message(record: logging.LogRecord, meta: dict[str, Any]) -> str:
    event = meta.get("dagster_event")
    if event is None:
        message = str(meta.get("orig_message", record.getMessage()))
        return message if record.levelno < logging.WARNING else f"{record.levelname.lower()}: {message}"
    outcome = _STEP_ENDS[event.event_type_value]
    if event.event_type_value == "STEP_SUCCESS":
        return f"{outcome} in {event.event_specific_data.duration_ms / 1000:.1f} s"
    if event.event_type_value == "STEP_FAILURE":
        return f"{outcome}: {failure_line(event)}"
    return outcome


def failure_line(event: dg.DagsterEvent) -> str:
    """The one line that says why a step failed: our own error's text, or the exception's last line."""
    data = event.step_failure_data
    given = data.user_failure_data
    if given is not None and given.description:
        return given.description
    error = data.error
    while error is not None and error.cause is not None:
        error = error.cause
    return error.message.strip() if error is not None else "no reason was given"
