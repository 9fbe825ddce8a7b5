"""How often somebody asked for the end: Ctrl-C, SIGTERM, or SIGHUP, which a closed terminal sends."""

import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


@contextmanager
def stops_counted() -> Iterator[Callable[[], int]]:
    """Take these signals away from Python; yields how many have come. One that is ignored (`nohup`) stays ignored."""
    count = 0

    def heard(number: int, frame: FrameType | None) -> None:
        nonlocal count
        del number, frame
        count += 1

    before = {number: signal.getsignal(number) for number in _SIGNALS}
    heeded = {number: handler for number, handler in before.items() if handler is not signal.SIG_IGN}
    for number in heeded:
        signal.signal(number, heard)
    try:
        yield lambda: count
    finally:
        for number, handler in heeded.items():
            signal.signal(number, handler)
