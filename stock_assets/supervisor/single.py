"""One supervisor per home, ended by the system together with its process."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stock_assets.supervisor.errors import AlreadyUp
from storage import locks

_PATIENCE_S = 1


@contextmanager
def only_one(home: Path) -> Iterator[None]:
    """Keep every other supervisor away from the home.

    Raises:
        AlreadyUp: names the process that keeps it.
    """
    lock = home / ".locks" / "up.lock"
    with locks.exclusive(lock, patience=_PATIENCE_S) as held:
        if not held:
            raise AlreadyUp(
                f"{home} is kept up by process {lock.read_text(encoding='utf-8') or 'unknown'} already",
                cure="use its screens, stop it with Ctrl-C in its terminal, or name another home: STOCK_ASSETS_HOME=…",
            )
        lock.write_text(str(os.getpid()), encoding="utf-8")
        yield
