"""Looking at Dagster for all open pages at once, in a background thread: pages never wait for it."""

import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache
from typing import TypeVar

from dashboard.pipeline import Pipeline
from dashboard.pipeline_runs import Run
from stock_assets.errors import StockAssetsError
from stock_assets.settings import Settings

_BUSY_S, _IDLE_S = 1.0, 4.0  # seconds between two looks, while runs are under way and otherwise
_CHECK_HOME_S = 30.0
_ENDED_KEPT = 6
_Result = TypeVar("_Result")


@dataclass(frozen=True)
class Seen:
    """Dagster at one moment: why it cannot be used, what its daemon does not do, in words, and runs, newest first.

    Those under way are with their steps, those that are over without.
    """

    problem: StockAssetsError | None = None
    sleeping: tuple[str, ...] = ()
    under_way: tuple[Run, ...] = ()
    ended: tuple[Run, ...] = ()


class Watch:
    """One Dagster, watched for every page of a server. Threads may share it."""

    def __init__(self, pipeline: Pipeline) -> None:
        self.pipeline = pipeline
        self._lock = threading.Lock()
        self._looks = ThreadPoolExecutor(1, thread_name_prefix="dagster-look")
        self._acts = ThreadPoolExecutor(2, thread_name_prefix="dagster-act")
        self._pending: Future[None] | None = None
        self._seen: Seen | None = None
        self._due = self._check_due = 0.0

    def latest(self) -> Seen | None:
        """What was seen last, at once; None before the first look. Where that is old, a new look is begun."""
        with self._lock:
            is_looking = self._pending is not None and not self._pending.done()
            if not is_looking and time.monotonic() >= self._due:
                self._pending = self._looks.submit(self._renew)
            return self._seen

    def look(self) -> Seen:
        """Ask Dagster now, and wait. A problem that can be cured is part of the answer."""
        try:
            if time.monotonic() >= self._check_due:
                self.pipeline.require_ours()
            under_way = tuple(self.pipeline.runs.under_way())
            ended = [run for run in self.pipeline.runs.newest(_ENDED_KEPT + len(under_way)) if run.is_over]
            seen = Seen(sleeping=tuple(self.pipeline.sleeping()), under_way=under_way, ended=tuple(ended[:_ENDED_KEPT]))
        except StockAssetsError as error:
            self._check_due = 0.0
            return Seen(problem=error)
        if time.monotonic() >= self._check_due:
            self._check_due = time.monotonic() + _CHECK_HOME_S
        return seen

    def start(self, act: Callable[[Pipeline], _Result]) -> "Future[_Result]":
        """Do something with the pipeline in the background; what changed is looked at right after."""
        return self._acts.submit(self._act, act)

    def _act(self, act: Callable[[Pipeline], _Result]) -> _Result:
        try:
            return act(self.pipeline)
        finally:
            self._due = 0.0

    def _renew(self) -> None:
        seen = self.look()
        with self._lock:
            self._seen = seen
            self._due = time.monotonic() + (_BUSY_S if seen.under_way else _IDLE_S)


@cache
def watch_for(settings: Settings) -> Watch:
    """The one watch of this process over the Dagster of these settings."""
    return Watch(Pipeline(settings))
