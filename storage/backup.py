"""A backup of a whole home while it is in use: one compressed archive, a hash of every file in it.

lake          one moment of it: writers wait while its files are linked
models        fits never change once they are there; which of them are in use is read before the lake is
SQLite        Dagster's and MLflow's, through SQLite's own online backup, each of one moment
anything else as it is (reports, logs)
left out      the published databases, which are made anew from the lake; locks; temporary files
"""

import hashlib
import json
import shutil
import sqlite3
import tarfile
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import datetime
from io import BytesIO
from pathlib import Path
from typing import IO
from urllib.parse import quote

from storage import locks, version
from storage.errors import BackupRefused
from storage.files import is_temporary, replace_atomically, temporary_for
from storage.lake import Lake

FORMAT = 1
MANIFEST = "manifest.json"
Progress = Callable[[str], None]

_POINTERS = "models/ticker=*/*/current.json"
_REBUILT = "published"
_FOR_PEOPLE = "warehouse.duckdb"
_BESIDE_SQLITE = ("-wal", "-shm", "-journal")
_SQLITE = b"SQLite format 3\0"
_QUICK = 1  # gzip: most bytes are compressed already


@dataclass(frozen=True)
class Content:
    """What is in a backup: number of files and bytes, before compression."""

    files: int
    size: int


def upkeep_lock(home: Path) -> Path:
    """Held by backups together, by a prune alone: nothing is removed while it is being copied."""
    return home / ".locks" / "upkeep.lock"


def is_sqlite(file: Path) -> bool:
    """Whether a file is an SQLite database."""
    with file.open("rb") as handle:
        return handle.read(len(_SQLITE)) == _SQLITE


def back_up(home: Path, file: Path, *, made_at: datetime, progress: Progress) -> Content:
    """Write everything that `home` holds and that cannot be made anew to `file`, whole or not at all.

    Args:
        home: folder of all state. Pipelines may be at work in it.
        file: a file that does not exist, outside the home.

    Raises:
        BackupRefused: `file` cannot be written, or the home holds nothing.
        SchemaVersionMismatch: the lake is of another version.
    """
    _check(home, file)
    staging = temporary_for(home / "backup")
    content = Content(0, 0)

    def write(temporary: Path) -> None:
        nonlocal content
        with tarfile.open(temporary, "w:gz", compresslevel=_QUICK, format=tarfile.PAX_FORMAT) as archive:
            content = _Writer(home, staging, archive).write_all(made_at, progress)

    staging.mkdir()
    try:
        with locks.shared(upkeep_lock(home)):
            replace_atomically(file, write)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return content


def _check(home: Path, file: Path) -> None:
    if version.read_version(home / "lake") is None:
        raise BackupRefused(f"there is nothing to back up in {home}", cure="name the home: STOCK_ASSETS_HOME=<folder>")
    if file.resolve().is_relative_to(home.resolve()):
        raise BackupRefused(f"{file} lies in the home it is to save", cure="name a file on another disk")
    if file.exists():
        raise BackupRefused(f"{file} exists already", cure="name another file, or move that one away")
    if not file.parent.is_dir():
        raise BackupRefused(f"there is no folder {file.parent}", cure="create it, or name another place")


@dataclass
class _Writer:
    home: Path
    staging: Path
    archive: tarfile.TarFile
    files: dict[str, dict[str, object]] = field(default_factory=dict)

    def write_all(self, made_at: datetime, progress: Progress) -> Content:
        # A pointer is set before the lake knows its fit: read before the lake, it names a fit that the lake knows.
        pointers = {path.relative_to(self.home).as_posix(): path for path in sorted(self.home.glob(_POINTERS))}
        for name, path in pointers.items():
            self._copied(name, path)
        progress("lake")
        lake = self.staging / "lake"
        Lake(self.home / "lake").snapshot(lake)
        for path in sorted(path for path in lake.rglob("*") if path.is_file()):
            self._add(path.relative_to(self.staging).as_posix(), path)
        shutil.rmtree(lake)
        for part in sorted(path for path in self.home.iterdir() if path.name not in ("lake", _REBUILT)):
            progress(part.name)
            for path in _files(part):
                name = path.relative_to(self.home).as_posix()
                if name not in pointers:
                    self._add_living(name, path)
        return self._add_manifest(made_at)

    def _add_living(self, name: str, path: Path) -> None:
        """A file that its owner may change, or take away, at any time."""
        try:
            if is_sqlite(path):
                self._added_and_removed(name, lambda staged: _copy_database(path, staged))
            else:
                self._copied(name, path)
        except FileNotFoundError:
            return

    def _copied(self, name: str, path: Path) -> None:
        self._added_and_removed(name, lambda staged: shutil.copyfile(path, staged))

    def _added_and_removed(self, name: str, stage: Callable[[Path], object]) -> None:
        staged = self.staging / "file"
        try:
            stage(staged)
            self._add(name, staged)
        finally:
            staged.unlink(missing_ok=True)

    def _add(self, name: str, path: Path) -> None:
        info = tarfile.TarInfo(name)
        status = path.stat()
        info.size, info.mtime = status.st_size, int(status.st_mtime)
        with path.open("rb") as handle:
            reader = _Hashing(handle)
            self.archive.addfile(info, reader)  # type: ignore[arg-type]  # only `read` is asked of it
        self.files[name] = {"sha256": reader.digest.hexdigest(), "size": info.size}

    def _add_manifest(self, made_at: datetime) -> Content:
        manifest = {
            "format": FORMAT,
            "made_at": made_at.isoformat(),
            "home": str(self.home.resolve()),
            "schema_version": version.read_version(self.home / "lake"),
            "files": self.files,
        }
        text = json.dumps(manifest, indent=1, sort_keys=True).encode()
        info = tarfile.TarInfo(MANIFEST)
        info.size = len(text)
        self.archive.addfile(info, BytesIO(text))
        return Content(len(self.files), sum(int(str(entry["size"])) for entry in self.files.values()))


class _Hashing:
    """Reads on, and hashes what was read."""

    def __init__(self, handle: IO[bytes]) -> None:
        self.handle = handle
        self.digest = hashlib.sha256()

    def read(self, size: int) -> bytes:
        block = self.handle.read(size)
        self.digest.update(block)
        return block


def _files(part: Path) -> Iterator[Path]:
    """The files at and below `part` that a backup holds, in order."""
    if _is_left_out(part):
        return
    if part.is_file():
        yield part
    if not part.is_dir():
        return
    for entry in sorted(part.iterdir()):
        if not entry.is_symlink():
            yield from _files(entry)


def _is_left_out(path: Path) -> bool:
    name = path.name
    return (
        name == ".locks"
        or name.startswith((_FOR_PEOPLE, ".writing-"))
        or name.endswith(_BESIDE_SQLITE)
        or is_temporary(path)
    )


def _copy_database(path: Path, staged: Path) -> None:
    with (
        closing(sqlite3.connect(f"file:{quote(str(path))}?mode=ro", uri=True)) as source,
        closing(sqlite3.connect(staged)) as target,
    ):
        source.backup(target)
        target.execute("PRAGMA journal_mode = DELETE")  # all in one file
