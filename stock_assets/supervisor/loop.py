"""The loop that keeps services running until it is told to stop, and leaves no process behind."""

import os
import signal
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import FrameType

from stock_assets.supervisor import logs
from stock_assets.supervisor.child import Child
from stock_assets.supervisor.service import AllGaveUp, Service
from stock_assets.supervisor.watch import Kind, Limits, News, State, Watched

_AFTER_KILL_S = 5
_STOPS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
"""How people ask for the end: Ctrl-C, `kill`, or closing the terminal."""


def log_of(home: Path, service: str) -> Path:
    """The log of a service."""
    return home / "logs" / f"{service}.log"


class Supervisor:
    """Keeps services running in a home.

    Args:
        services: started together; each can do without the others for a while.
        home: their working directory; its folder `logs` takes what they say.
        tell: told what happens. If it fails with an OSError (the terminal is gone), nobody is told any more.
    """

    def __init__(
        self, services: Sequence[Service], home: Path, tell: Callable[[News], None], limits: Limits | None = None
    ) -> None:
        self._services, self._home, self._limits = services, home, limits or Limits()
        self._listener: Callable[[News], None] | None = tell

    def run(self, stops: Callable[[], int]) -> None:
        """Keep the services until `stops` counts one; a second one meanwhile kills what still runs.

        `AllGaveUp` where none of them is left to keep.
        """
        for service in self._services:
            logs.begin(log_of(self._home, service.name))
        asking = ThreadPoolExecutor(max_workers=len(self._services))
        with _lifeline() as lifeline:
            start = partial(Child, lifeline=lifeline, grace=self._limits.grace, folder=self._home)
            watched = [
                Watched(service, log_of(self._home, service.name), start, asking, self._limits)
                for service in self._services
            ]
            try:
                self._keep(watched, stops)
            finally:
                asking.shutdown(wait=False, cancel_futures=True)
                self._end(watched, stops)

    def _keep(self, watched: Sequence[Watched], stops: Callable[[], int]) -> None:
        is_settled = False
        while not stops():
            for one in watched:
                news = one.look(time.monotonic())
                if news is not None:
                    self._tell(news)
            if not is_settled and all(one.is_settled for one in watched):
                is_settled = True
                self._tell(News(Kind.SETTLED, "every service has been started"))
            if all(one.state is State.GIVEN_UP for one in watched):
                raise AllGaveUp("every service died too often", cure=f"read the logs in {self._home / 'logs'}")
            time.sleep(self._limits.look)

    def _end(self, watched: Sequence[Watched], stops: Callable[[], int]) -> None:
        """Ask all to end, and kill what has not after the grace or at the next stop."""
        asked, number = stops(), signal.SIGTERM
        left = [one.child for one in watched if one.child is not None]
        self._tell(News(Kind.STOPPING, "stopping everything (Ctrl-C again kills it at once)"))
        for child in left:
            child.send(number)
        deadline = time.monotonic() + self._limits.grace
        while left := [child for child in left if not child.is_gone()]:
            if stops() > asked or time.monotonic() > deadline:
                if number is signal.SIGKILL and time.monotonic() > deadline:
                    return  # only a process that the system itself cannot end is left
                number, asked, deadline = signal.SIGKILL, stops(), time.monotonic() + _AFTER_KILL_S
                for child in left:
                    child.send(number)
            time.sleep(self._limits.look)

    def _tell(self, news: News) -> None:
        if self._listener is None:
            return
        try:
            self._listener(news)
        except OSError:
            self._listener = None


@contextmanager
def _lifeline() -> Iterator[int]:
    """The reading end of a pipe that ends when this process does: nobody else holds the other end."""
    reading, writing = os.pipe()
    try:
        yield reading
    finally:
        os.close(reading)
        os.close(writing)


@contextmanager
def stops_counted() -> Iterator[Callable[[], int]]:
    """Take these signals away from Python; yields how many have come. One that is ignored (`nohup`) stays ignored."""
    count = 0

    def heard(number: int, frame: FrameType | None) -> None:
        nonlocal count
        del number, frame
        count += 1

    before = {number: signal.getsignal(number) for number in _STOPS}
    heeded = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
    for number in heeded:
        signal.signal(number, heard)
    try:
        yield lambda: count
    finally:
        for number, handler in heeded.items():
            signal.signal(number, handler)
