"""One log per service in `<home>/logs`, bounded: this start's, and what was before it in `<name>.log.1`."""

import os
import shutil
from contextlib import suppress
from pathlib import Path

LIMIT = 10_000_000
"""Bytes after which a log is begun anew, at the next look."""
_TAIL_BYTES = 8_000


def begin(log: Path) -> None:
    """Put the log of an earlier start aside."""
    if log.exists():
        log.replace(_aside(log))


def bound(log: Path, limit: int = LIMIT) -> None:
    """Put aside what a running service has written, if that is much. It goes on at the end of the same, empty file."""
    if log.exists() and log.stat().st_size > limit:
        with suppress(OSError):  # a full disk: what the log takes is what can be given back
            shutil.copyfile(log, _aside(log))
        os.truncate(log, 0)


def last_lines(log: Path, count: int, *, since: int = 0) -> list[str]:
    """The newest lines that are not empty, oldest of them first, of what was written after the first `since` bytes."""
    if not log.exists():  # somebody tidied up
        return []
    with log.open("rb") as handle:
        size = log.stat().st_size
        handle.seek(max(0 if since > size else since, size - _TAIL_BYTES))
        lines = handle.read().decode(errors="replace").splitlines()
    return [line.rstrip() for line in lines if line.strip()][-count:]


def _aside(log: Path) -> Path:
    return log.with_name(f"{log.name}.1")
