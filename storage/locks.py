"""Locks between processes (and threads): many sharers or one owner, released by the system when a process dies.

A plain `flock` lets a stream of sharers starve an owner for ever. So everybody passes a gate first: a waiting owner
holds the gate, newcomers queue behind it, and it gets its turn as soon as those inside have left.
"""

import fcntl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

_POLL_SECONDS = 0.005


@contextmanager
def shared(path: Path) -> Iterator[None]:
    """Hold `path` together with other sharers; waits for an owner to leave."""
    with _opened(_gate(path)) as gate, _opened(path) as lock:
        fcntl.flock(gate, fcntl.LOCK_SH)
        fcntl.flock(lock, fcntl.LOCK_SH)
        fcntl.flock(gate, fcntl.LOCK_UN)
        yield


@contextmanager
def exclusive(path: Path, *, patience: float | None = None) -> Iterator[bool]:
    """Hold `path` alone. Yields whether it is held: always without `patience`, else if it came in that many seconds."""
    with _opened(_gate(path)) as gate, _opened(path) as lock:
        deadline = None if patience is None else time.monotonic() + patience
        held = _acquire(gate, deadline) and _acquire(lock, deadline)
        fcntl.flock(gate, fcntl.LOCK_UN)
        yield held


def _acquire(handle: IO[bytes], deadline: float | None) -> bool:
    if deadline is None:
        fcntl.flock(handle, fcntl.LOCK_EX)
        return True
    while True:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() >= deadline:
                return False
            time.sleep(_POLL_SECONDS)
        else:
            return True


def _gate(path: Path) -> Path:
    return path.with_suffix(".gate")


@contextmanager
def _opened(path: Path) -> Iterator[IO[bytes]]:
    try:
        handle = path.open("ab")
    except FileNotFoundError:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = path.open("ab")
    with handle:  # closing releases the lock
        yield handle
