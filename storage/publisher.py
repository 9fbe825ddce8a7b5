"""Publishing: the lake's changed partitions, applied to a private copy of the last generation, moved into place.

What belongs here: generations, their order, and the copy for people. What does not: the private file (`build.py`).

One publisher works at a time (a lock that dies with its process), so an older build never lands after a newer one.
"""

import json
import os
import shutil
import time
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import duckdb

from stock_assets.durable import sync_file, sync_folder
from storage import build, engine, locks
from storage.build import Change, State
from storage.errors import ContractViolation
from storage.files import remove_abandoned, replace_atomically, temporary_for
from storage.lake import Lake
from storage.layout import scan
from storage.parquet import CURE_OF_DAMAGE
from storage.published import generation_path, generations, published_folder
from storage.tables import TABLES

KEPT_GENERATIONS = 3
COMPACT_ABOVE = 200  # files of an append-only table
_COMPACT_PATIENCE = 1.0  # seconds; a busy table is compacted another time
_WAREHOUSE = "warehouse.duckdb"
_NAMED = 20  # damaged files that a warning names


@dataclass(frozen=True)
class Publication:
    """What a publication did.

    Attributes:
        generation: number of the newest generation, new or not, in the file `path`.
        changed: lake files whose rows were applied or taken out; empty if nothing had changed.
        damaged: lake files that cannot be read or break their contract. They were skipped: what was published of them
            stays (a rebuild has nothing of them), and every publication tries them again.
        moved_aside: write-ahead logs of somebody's session on `warehouse.duckdb`, moved out of the way of the new file.
    """

    generation: int
    path: Path
    changed: tuple[str, ...]
    damaged: tuple[Path, ...]
    moved_aside: tuple[Path, ...]

    @property
    def warnings(self) -> tuple[str, ...]:
        """What people should hear of it, a line each."""
        return (
            *(f"someone's unfinished writes to {_WAREHOUSE} were moved to {file}" for file in self.moved_aside),
            *(f"{file} is damaged and was not published: {CURE_OF_DAMAGE}" for file in self.damaged[:_NAMED]),
            *([f"… and {len(self.damaged) - _NAMED} more damaged files"] if len(self.damaged) > _NAMED else []),
        )


class Publisher:
    """Publishes the lake of one home, the folder of all state."""

    def __init__(self, home: Path) -> None:
        """Work in `home`; `SchemaVersionMismatch` where its lake is of another version."""
        self.home, self.lake = home, Lake(home / "lake")

    def publish(self) -> Publication:
        """Publish what has changed since the last generation; the same generation again if nothing has."""
        return self._publish(from_scratch=False)

    def rebuild(self) -> Publication:
        """Publish a new generation from the lake alone, to the same content."""
        return self._publish(from_scratch=True)

    def _publish(self, *, from_scratch: bool) -> Publication:
        folder = published_folder(self.home)
        with locks.exclusive(folder / ".publisher.lock"), self._connection() as connection:
            remove_abandoned(folder)
            remove_abandoned(self.home, deep=False)  # a copy for people that was never finished
            self._compact_lake()
            newest = max(generations(self.home), default=0)  # 0: nothing published yet
            state = None if from_scratch or not newest else build.state_of(connection, self._path(newest))
            with self.lake.steady():
                todo = build.find_changes(self.lake.root, state or {})
                damaged: tuple[str, ...] = ()
                if state is None or todo:
                    newest, damaged = self._build(connection, newest, state, todo)
            moved_aside = self._serve_people(newest)
            for generation in generations(self.home)[:-KEPT_GENERATIONS]:  # who has one open keeps it until they close
                self._path(generation).unlink(missing_ok=True)
        unreadable = tuple(self.lake.root / path for path in damaged)
        return Publication(newest, self._path(newest), _applied(todo, damaged), unreadable, moved_aside)

    def _build(
        self, connection: duckdb.DuckDBPyConnection, newest: int, state: State | None, todo: list[Change]
    ) -> tuple[int, tuple[str, ...]]:
        """The newest generation afterwards, and the damaged files; with nothing else changed there is no new one."""
        generation = max(newest, self._served() or 0) + 1
        path = self._path(generation)
        work = temporary_for(path)
        try:
            if state is None:
                damaged = build.create(connection, work, self.lake.root, todo)
            else:
                shutil.copyfile(self._path(newest), work)
                damaged = build.update(connection, work, self.lake.root, todo)
                if not _applied(todo, damaged):
                    return newest, damaged
            sync_file(work)
            os.replace(work, path)
        finally:
            work.unlink(missing_ok=True)
        sync_folder(path.parent)
        return generation, damaged

    def _path(self, generation: int) -> Path:
        return generation_path(self.home, generation)

    def _connection(self) -> duckdb.DuckDBPyConnection:
        # What does not fit in memory while packing goes where the file itself goes.
        return engine.connect(temp_directory=str(temporary_for(published_folder(self.home) / "spill")))

    def _compact_lake(self) -> None:
        for table in TABLES.values():
            if table.append_only and len(scan(self.lake.root, table)) > COMPACT_ABOVE:
                with suppress(ContractViolation):  # a damaged file: it is skipped and reported below
                    self.lake.compact(table.name, patience=_COMPACT_PATIENCE)

    def _serve_people(self, generation: int) -> tuple[Path, ...]:
        """Put a copy where people look, unless it is there. What they did to the old one stays in their session."""
        warehouse = self.home / _WAREHOUSE
        if warehouse.exists() and self._served() == generation:
            return ()
        moved: list[Path] = []
        replace_atomically(
            warehouse,
            lambda temporary: shutil.copyfile(self._path(generation), temporary),
            # With a foreign log beside it the new file could not be opened, by anybody.
            just_before=lambda: moved.extend(_move_logs_aside(warehouse)),
        )
        self._marker().write_text(json.dumps({"generation": generation}), encoding="utf-8")
        return tuple(moved)

    def _served(self) -> int | None:
        """Generation of the copy for people; None if unknown, and then it is copied again."""
        try:
            served = json.loads(self._marker().read_text(encoding="utf-8"))["generation"]
        except (FileNotFoundError, ValueError, KeyError, TypeError):
            return None
        return served if isinstance(served, int) else None

    def _marker(self) -> Path:
        return published_folder(self.home) / "served.json"


def _applied(todo: list[Change], damaged: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(path for change in todo for path in change.applied(damaged))


def _move_logs_aside(warehouse: Path) -> list[Path]:
    moved = []
    stamp = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime()) + f"-{time.time_ns() % 10**9:09d}"
    for log in sorted(warehouse.parent.glob(f"{warehouse.name}.wal*")):
        if log.suffix != ".aside":
            aside = log.with_name(f"{log.name}.{stamp}.aside")
            try:
                os.replace(log, aside)
            except FileNotFoundError:  # its session has just ended
                continue
            moved.append(aside)
    return moved
