"""Reading what was published: immutable database files, one for each generation, the newest first choice.

Readers never open `warehouse.duckdb`: that copy belongs to people, who may hold it open for writing.
"""

import re
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import duckdb

from storage import engine
from storage.errors import DamagedGeneration, NothingPublished

if TYPE_CHECKING:
    import pandas as pd

_GENERATION = re.compile(r"(\d+)\.duckdb")


def published_folder(home: Path) -> Path:
    """Folder of the generations."""
    return home / "published"


def generation_path(home: Path, generation: int) -> Path:
    """The file of a generation; names sort like numbers."""
    return published_folder(home) / f"{generation:010d}.duckdb"


def generations(home: Path) -> list[int]:
    """The generations that are there, oldest first."""
    folder = published_folder(home)
    names = (path.name for path in folder.iterdir()) if folder.is_dir() else ()
    return sorted(int(match[1]) for match in map(_GENERATION.fullmatch, names) if match)


def newest_generation(place: Path) -> int | None:
    """Number of what `Reader(place)` would open now; None where there is nothing. Of a file: when it was changed."""
    if place.is_dir():
        return max(generations(place), default=None)
    return place.stat().st_mtime_ns if place.exists() else None


class Reader:
    """One generation, open read-only: what it shows never changes. Use it as a context manager, or close it.

    `place` is a folder of all state, whose newest generation is opened, or one published database file.

    Raises:
        NothingPublished: there is none yet. DamagedGeneration: its file cannot be read.
    """

    def __init__(self, place: Path) -> None:
        self.generation, self._connection = open_newest(place)
        self._path = _path_of(place, self.generation)
        self._one_at_a_time = threading.Lock()

    def frame(self, sql: str, parameters: Sequence[object] = ()) -> "pd.DataFrame":
        """Rows of a query of ours; its values are parameters. Threads take turns. `DamagedGeneration` if unreadable."""
        with self._one_at_a_time:
            try:
                return engine.fetch(self._connection.execute(sql, list(parameters)))
            except duckdb.Error as error:
                # A block whose checksum is wrong comes as the bare base class.
                if isinstance(error, duckdb.IOException) or type(error) is duckdb.Error:
                    raise _damaged(self._path, error) from error
                raise

    def close(self) -> None:
        """Let go of the file."""
        self._connection.close()

    def __enter__(self) -> "Reader":
        """Return the open reader."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close."""
        self.close()


def open_newest(place: Path, **settings: str) -> tuple[int, duckdb.DuckDBPyConnection]:
    """The newest generation's number and a connection that uses it, read-only.

    Only the last few generations are kept, so a listed file may be gone when it is opened: then the list is read again.

    Args:
        place: folder of all state, or one published database file.

    Raises:
        NothingPublished: there is none yet. DamagedGeneration: its file cannot be opened.
    """
    while (generation := newest_generation(place)) is not None:
        path = _path_of(place, generation)
        connection = engine.connect(**settings)
        try:
            engine.attach(connection, path, read_only=True)
        except duckdb.Error as error:
            connection.close()
            if path.exists():
                raise _damaged(path, error) from error
        else:
            connection.execute(f"USE {engine.CATALOG}")
            return generation, connection
    if place.suffix == ".duckdb":
        problem = f"there is no file {place}"
        raise NothingPublished(problem, cure="name a published database, for example warehouse.duckdb")
    raise NothingPublished(f"nothing has been published in {place} yet", cure="run `stock-assets run`")


def _path_of(place: Path, generation: int) -> Path:
    return generation_path(place, generation) if place.is_dir() else place


def _damaged(path: Path, error: duckdb.Error) -> DamagedGeneration:
    reason = str(error).partition("\n")[0]
    return DamagedGeneration(f"{path} cannot be read: {reason}", cure="run `stock-assets publish` to make it anew")
