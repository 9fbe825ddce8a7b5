"""Processes for typed queries, from the side that starts them: started, started ahead, asked, ended."""

import atexit
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

_ROOT = Path(__file__).parents[1]


@dataclass(frozen=True)
class Answer:
    """What a worker left behind: an Arrow stream, how it says it ended, and its exit status, -n if signal n ended it.

    `rows` is whole only if `outcome` says that it did not fail; that is empty if it was ended before it could say so.
    """

    rows: bytes
    outcome: dict[str, Any]
    code: int


class Workers:
    """Starts workers, one for each query, and keeps one waiting once somebody has asked for that."""

    def __init__(self) -> None:
        self._waiting: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def warm_up(self) -> None:
        """Have a worker ready before it is needed: starting one takes longer than most queries."""
        with self._lock:
            if self._waiting is None or self._waiting.poll() is not None:
                self._waiting = _start()

    def take(self) -> subprocess.Popen[bytes]:
        """A worker that waits for its request."""
        with self._lock:
            ready, self._waiting = self._waiting, None
        return ready if ready and ready.poll() is None else _start()

    def close(self) -> None:
        """End the one that waits."""
        with self._lock:
            if self._waiting:
                end(self._waiting)
            self._waiting = None


WORKERS = Workers()
atexit.register(WORKERS.close)


def ask(worker: subprocess.Popen[bytes], request: dict[str, Any]) -> Answer:
    """Send the request and wait for the answer; the worker is gone afterwards, whatever happens here."""
    try:
        rows, said = worker.communicate(json.dumps(request | {"parent": os.getpid()}).encode())
    finally:
        end(worker)
    return Answer(rows, _outcome(said), worker.returncode)


def end(worker: subprocess.Popen[bytes]) -> None:
    """End it and let go of its pipes."""
    with worker:
        worker.kill()


def _start() -> subprocess.Popen[bytes]:
    # An empty environment: it may hold secrets, and a worker needs none of it.
    return subprocess.Popen(
        [sys.executable, "-m", "storage.sql_worker"],
        cwd=_ROOT,
        env={},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _outcome(said: bytes) -> dict[str, Any]:
    lines = said.decode(errors="replace").splitlines() or [""]
    try:
        outcome: dict[str, Any] = json.loads(lines[-1])
    except ValueError:  # it was ended in mid-sentence, or broke: what broke is the last line of its traceback
        return {"broke": lines[-1]} if lines[-1] else {}
    return outcome
