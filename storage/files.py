"""Atomic files: temporary names that tell whose they are, fsync, replace."""

import itertools
import os
import re
import shutil
import socket
from collections.abc import Callable
from pathlib import Path

from stock_assets.durable import is_alive, sync_file, sync_folder

_COUNTER = itertools.count()
# .<final name>.<host>.<pid>.<n>.tmp, and what DuckDB may leave beside such a file (.wal)
_TEMPORARY = re.compile(r"\..+\.(?P<host>[A-Za-z0-9-]+)\.(?P<pid>\d+)\.\d+\.tmp(\..+)?")


def host() -> str:
    """This machine's name, reduced to characters every file system takes."""
    return re.sub(r"[^A-Za-z0-9-]", "-", socket.gethostname()) or "unknown"


def writer_id() -> str:
    """Name of this very write: host, process, and a number unique within the process."""
    return f"{host()}.{os.getpid()}.{next(_COUNTER)}"


def temporary_for(path: Path) -> Path:
    """A new temporary name in the folder of `path`, so that `os.replace` stays within one file system."""
    return path.with_name(f".{path.name}.{writer_id()}.tmp")


def is_temporary(path: Path) -> bool:
    """Whether `path` is a temporary file, of whichever writer."""
    return _TEMPORARY.fullmatch(path.name) is not None


def link_or_copy(source: Path, target: Path) -> None:
    """Give the content of `source`, a file that is never changed in place, a second name; its folder is made."""
    target.parent.mkdir(parents=True, exist_ok=True)
    try:
        os.link(source, target)
    except OSError:  # another file system, or one without hard links
        shutil.copyfile(source, target)


def is_abandoned(path: Path) -> bool:
    """Whether `path` is a temporary file whose writer is dead.

    Only processes of this machine can be asked; a file of another machine is never called abandoned.
    """
    match = _TEMPORARY.fullmatch(path.name)
    return match is not None and match["host"] == host() and not is_alive(int(match["pid"]))


def remove_abandoned(folder: Path, *, deep: bool = True) -> list[Path]:
    """Remove what dead writers left in `folder`, and below it if `deep`. Returns what was removed, in order."""
    found = folder.rglob(".*.tmp*") if deep else folder.glob(".*.tmp*")
    abandoned = sorted(path for path in found if is_abandoned(path))
    for path in abandoned:
        if path.is_dir():  # where a database spilled what did not fit in memory
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink(missing_ok=True)
    return abandoned


def replace_atomically(
    path: Path, write: Callable[[Path], object], *, just_before: Callable[[], object] | None = None
) -> None:
    """Let `write` fill a temporary file, then put it at `path`: readers see the old file or the new one.

    A failed write leaves neither a temporary file nor a changed `path`.

    Args:
        path: the file to replace; its folder is made if need be.
        just_before: called when the content is safe on disk, right before the replacement.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = temporary_for(path)
    try:
        write(temporary)
        sync_file(temporary)
        if just_before is not None:
            just_before()
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    sync_folder(path.parent)


def write_text(path: Path, text: str) -> None:
    """Replace `path` by `text`, atomically."""
    replace_atomically(path, lambda temporary: temporary.write_text(text, encoding="utf-8"))
