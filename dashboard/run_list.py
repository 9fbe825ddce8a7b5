"""Runs as a list: how far the ones under way are, and how the last ones ended."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from html import escape

import pandas as pd
import panel as pn
import panel_material_ui as pmui

from dashboard import words
from dashboard.parts import Part, Text, link
from dashboard.pipeline_runs import Run
from dashboard.theme import DOWN, NEUTRAL, UP

JOBS = {
    "lineage": "first run: bars, training, forecast",
    "train": "training",
    "forecast": "daily update",
    "fetch": "new bars",
    "backtest": "backtest and review",
    "leak_audit": "leak audit",
    "drift_check": "drift",
    "upkeep": "weekly upkeep",
    "__ASSET_JOB": "chosen assets",
}
_MARKS = {"SUCCESS": ("✓", UP), "FAILURE": ("✗", DOWN), "CANCELED": ("■", NEUTRAL)}
_WORDS = {
    **dict.fromkeys(("QUEUED", "NOT_STARTED", "MANAGED"), "in the queue"),
    **{"STARTING": "starting", "CANCELING": "stopping", "CANCELED": "stopped"},
}
_DONE_IN_PART = ("!", DOWN)


def describe(run: Run) -> str:
    """How a run fares, in one line: `7 of 19 steps · model/xgboost`, `done in 38 s, 2 tickers failed`, `failed: …`."""
    if run.status in _WORDS:
        return _WORDS[run.status]
    if run.status == "FAILURE":
        return f"failed: {run.reason}"
    if run.status == "SUCCESS":
        failed = f", {run.n_failed} ticker{'s' if run.n_failed > 1 else ''} failed" if run.n_failed else ""
        return f"done {_took(run)}".rstrip() + failed
    steps = f"{run.steps_done} of {run.steps} steps"
    return f"{steps} · {', '.join(run.running)}" if run.running else steps


def _took(run: Run) -> str:
    if run.started_at is None or run.ended_at is None:
        return ""
    seconds = round((run.ended_at - run.started_at).total_seconds())
    return f"in {seconds} s" if seconds < 100 else f"in {round(seconds / 60)} min"


def title(run: Run) -> str:
    """What a run is: `AAPL · daily update`, `XNYS, 12 tickers · daily update`, of a whole market `XNYS · training`."""
    return f"{_about(run)} · {JOBS.get(run.job, run.job)}"


def _about(run: Run) -> str:
    if len(run.tickers) == 1:
        return run.tickers[0]
    parts = [run.market, f"{len(run.tickers)} tickers" if run.tickers else None]
    return ", ".join(filter(None, parts)) or "All tickers"


def with_failures(runs: Sequence[Run], universe: pd.DataFrame) -> list[Run]:
    """The runs, each with how many tickers failed in it, by `universe`, rows of `tickers`, which name the run."""
    n_failed = universe["run_id"].value_counts().to_dict()
    return [replace(run, n_failed=n_failed.get(run.run_id, 0)) for run in runs]


class RunRow(Part):
    """One run: a line, and while it is under way a bar and a way to stop it."""

    def __init__(self, run: Run, stop: Callable[[Run], None]) -> None:
        self._line = pn.pane.HTML(sizing_mode="stretch_width", margin=(2, 0))
        self._bar = pmui.LinearProgress(variant="determinate", value=0, sizing_mode="stretch_width", margin=(2, 0))
        self._stop = pmui.Button(label="Stop", size="small", variant="text", color="error", align="center", width=70)
        self._stop.on_click(lambda _: stop(self.run))
        progress = pn.Column(self._line, self._bar, sizing_mode="stretch_width")
        super().__init__(pn.Row(progress, self._stop, sizing_mode="stretch_width"))
        self.show(run)

    def show(self, run: Run) -> None:
        """Show how far it is now."""
        self.run = run
        mark, colour = _DONE_IN_PART if run.n_failed and run.status == "SUCCESS" else _MARKS.get(run.status, ("●", ""))
        when = words.moment(run.ended_at or run.requested_at)
        self._line.object = (
            f'<div aria-live="polite" style="line-height:1.45"><span style="color:{colour or "inherit"}">{mark}</span> '
            f"<strong>{escape(title(run))}</strong> · {escape(describe(run))} "
            f'<span style="opacity:0.72;font-size:0.85rem">{when} · {link("in Dagster", run.url)}</span></div>'
        )
        self._bar.visible = self._stop.visible = not run.is_over
        self._bar.value = round(100 * run.share_done)


class RunList(Part):
    """Runs below each other, changed in place. `stop` is called with the run that a person wants stopped."""

    def __init__(self, stop: Callable[[Run], None]) -> None:
        self._stop = stop
        self._rows: dict[str, RunRow] = {}
        self._nothing = Text("No runs yet.", "small")
        super().__init__(pn.Column(self._nothing, sizing_mode="stretch_width"))

    def show(self, runs: Sequence[Run]) -> None:
        """Show these runs, in this order."""
        before = list(self._rows)
        known, self._rows = self._rows, {}
        for run in runs:
            row = known.get(run.run_id) or RunRow(run, self._stop)
            if row.run != run:
                row.show(run)
            self._rows[run.run_id] = row
        if list(self._rows) != before:
            self._pane.objects = list(self._rows.values()) or [self._nothing]

    @property
    def lines(self) -> list[str]:
        """What it says, run by run."""
        return [f"{title(row.run)} · {describe(row.run)}" for row in self._rows.values()]
