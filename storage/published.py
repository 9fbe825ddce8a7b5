"""Reading what was published: immutable database files, one for each generation, the newest first choice.

Readers never open `warehouse.duckdb`: that copy belongs to people, who may hold it open for writing.
"""

import re
import threading
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType

import duckdb
import pandas as pd

from storage import engine
from storage.errors import DamagedGeneration, NothingPublished

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


class Reader:
    """One generation, open read-only: what it shows never changes. Use it as a context manager, or close it.

    Args:
        home: folder of all state; its newest generation is opened.

    Raises:
        NothingPublished: there is none yet. DamagedGeneration: its file cannot be read.
    """

    def __init__(self, home: Path) -> None:
        """Open the newest generation in `home`."""
        self.generation, self._connection = open_newest(home)
        self._path = generation_path(home, self.generation)
        self._one_at_a_time = threading.Lock()

    def frame(self, sql: str, parameters: Sequence[object] = ()) -> pd.DataFrame:
        """Rows of a query of ours; its values are parameters. Threads take turns.

        Raises:
            DamagedGeneration: the rows cannot be read.
        """
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

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close."""
        self.close()


def open_newest(home: Path, **settings: str) -> tuple[int, duckdb.DuckDBPyConnection]:
    """The newest generation's number and a connection that uses it, read-only.

    Only the last few generations are kept, so a listed file may be gone when it is opened: then the list is read again.

    Raises:
        NothingPublished: there is none yet. DamagedGeneration: its file cannot be opened.
    """
    while found := generations(home):
        path = generation_path(home, found[-1])
        connection = engine.connect(**settings)
        try:
            engine.attach(connection, path, read_only=True)
        except duckdb.Error as error:
            connection.close()
            if path.exists():
                raise _damaged(path, error) from error
        else:
            connection.execute(f"USE {engine.CATALOG}")
            return found[-1], connection
    raise NothingPublished(f"nothing has been published in {home} yet", cure="run `stock-assets run`")


def _damaged(path: Path, error: duckdb.Error) -> DamagedGeneration:
    reason = str(error).partition("\n")[0]
    return DamagedGeneration(f"{path} cannot be read: {reason}", cure="run `stock-assets publish` to make it anew")
