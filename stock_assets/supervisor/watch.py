"""One service over its lives: starting, answering, dead and waiting for its restart, given up."""

import signal
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from enum import Enum, auto
from pathlib import Path

from stock_assets.supervisor import logs
from stock_assets.supervisor.child import Child
from stock_assets.supervisor.service import Service

_SHOWN_LINES = 12


@dataclass(frozen=True)
class Limits:
    """The supervisor's patience. Times in seconds.

    Attributes:
        restarts: times that a service is started again within `within`; the next death there is the last.
        within: how long a death counts.
        first_wait: before the first restart; doubles with each one that counts.
        answer: how long a service may take to answer; then it is killed, and that counts as a death.
        grace: how long a service may take to end; then it is killed.
        look: between two looks at everything.
    """

    restarts: int = 5
    within: float = 600
    first_wait: float = 1
    answer: float = 300
    grace: float = 20
    look: float = 0.2


@dataclass
class Deaths:
    """When one service died."""

    limits: Limits
    times: list[float] = field(default_factory=list)

    def wait_after(self, now: float) -> float | None:
        """Note a death at `now`; the seconds to wait before the restart, or None to give up."""
        self.times = [*(time for time in self.times if now - time < self.limits.within), now]
        count = len(self.times)
        return self.limits.first_wait * 2.0 ** (count - 1) if count <= self.limits.restarts else None


class Kind(Enum):
    """What is told."""

    ANSWERS = auto()
    DIED = auto()
    GAVE_UP = auto()
    SETTLED = auto()
    """Every service has answered or died once: what works now works."""
    STOPPING = auto()


@dataclass(frozen=True)
class News:
    """One thing that happened: a sentence, the service it is about, and the end of its log where that says why."""

    kind: Kind
    text: str
    service: str = ""
    log_tail: tuple[str, ...] = ()


class State(Enum):
    """Where a service is."""

    STARTING = auto()
    ANSWERING = auto()
    WAITING = auto()
    GIVEN_UP = auto()


class Watched:
    """A service that is kept running within limits; `start` makes a process of it and its log.

    `asking` runs the probe beside the loop, so that a service that hangs delays nobody.
    """

    def __init__(
        self, service: Service, log: Path, start: Callable[[Service, Path], Child], asking: Executor, limits: Limits
    ) -> None:
        self.service, self.log = service, log
        self.state = State.WAITING
        self.child: Child | None = None
        self._start, self._asking, self._limits = start, asking, limits
        self._deaths = Deaths(limits)
        self._at = 0.0  # of the start, or of the restart to come
        self._answer: Future[bool] | None = None

    @property
    def is_settled(self) -> bool:
        """Whether it has answered or died once."""
        return self.state is State.ANSWERING or bool(self._deaths.times)

    def look(self, now: float) -> News | None:
        """Do what is due at `now` (seconds of any steady clock); what happened, if anything."""
        logs.bound(self.log)
        if self.state is State.GIVEN_UP:
            return None
        if self.child is None or self.state is State.WAITING:
            self._start_if_due(now)
            return None
        ended = self.child.ended()
        if ended is not None:
            return self._died(now, self.child, ended)
        return self._ask(now, self.child) if self.state is State.STARTING else None

    def _start_if_due(self, now: float) -> None:
        if now < self._at:
            return
        if self.child is not None and not self.child.is_gone():
            self.child.send(signal.SIGKILL)  # what it had started and left behind keeps its port
            return
        self.child = self._start(self.service, self.log)
        self.state, self._at, self._answer = State.STARTING, now, None

    def _ask(self, now: float, child: Child) -> News | None:
        if self._answer is not None and self._answer.done():
            if self._answer.result():
                self.state = State.ANSWERING
                text = f"{self.service.name} answers after {now - self._at:.0f} s"
                return News(Kind.ANSWERS, text, self.service.name)
            self._answer = None
        if self._answer is None:
            self._answer = self._asking.submit(self.service.answers, child.started)
        if now - self._at > self._limits.answer:
            return self._died(now, child, f"did not answer within {self._limits.answer:.0f} s")
        return None

    def _died(self, now: float, child: Child, how: str) -> News:
        child.send(signal.SIGTERM)  # what it had started
        wait, count = self._deaths.wait_after(now), len(self._deaths.times)
        tail = tuple(logs.last_lines(self.log, _SHOWN_LINES, since=child.log_start))
        name = self.service.name
        if wait is None:
            self.state = State.GIVEN_UP
            text = f"{name} {how}, {count} times within {self._limits.within / 60:.0f} min: it is not started again"
            return News(Kind.GAVE_UP, text, name, tail)
        self.state, self._at = State.WAITING, now + wait
        text = f"{name} {how}: started again in {wait:.0f} s (restart {count} of {self._limits.restarts})"
        return News(Kind.DIED, text, name, tail)
