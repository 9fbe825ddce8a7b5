"""What is shown: frames of one published generation, each asked for once and shared by all sessions."""

import threading
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path

import pandas as pd

from storage.published import Reader, newest_generation

_FRAMES_KEPT = 512


class Snapshot:
    """One published generation, the newest in `place`: a folder of all state, or one published database file.

    Whatever a page shows at one moment comes from one of these. `NothingPublished`, `DamagedGeneration` where there is
    nothing to show, with the cure.
    """

    def __init__(self, place: Path) -> None:
        reader = Reader(place)
        self.generation = reader.generation
        self._ask = lru_cache(_FRAMES_KEPT)(lambda query, *arguments, **filters: query(reader, *arguments, **filters))

    def get(self, query: Callable[..., pd.DataFrame], *arguments: object, **filters: object) -> pd.DataFrame:
        """Rows of one of `storage.queries`; they are shared, so do not change them. Lists are given as tuples."""
        rows: pd.DataFrame = self._ask(query, *arguments, **filters)
        return rows


class Store:
    """Holds the newest generation in `place` open for all sessions of one server, from when there is one."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self._lock = threading.Lock()
        self._shown: Snapshot | None = None

    @property
    def is_file(self) -> bool:
        """Whether one published file is shown, without a home beside it."""
        return self.place.suffix == ".duckdb"

    def newest(self) -> Snapshot:
        """The newest generation, opened if it is not yet. A page that still uses an older one keeps that.

        `NothingPublished` or `DamagedGeneration`, with the cure, where there is nothing to show.
        """
        with self._lock:
            if self._shown is None or newest_generation(self.place) != self._shown.generation:
                self._shown = Snapshot(self.place)
            return self._shown
