"""What Dagster's event log has answered, kept until something changes it."""

from collections.abc import Hashable, Iterator
from contextlib import contextmanager
from typing import Any

import dagster as dg
from dagster._core.events import ASSET_EVENTS
from sqlalchemy import Connection

_KNOWN_CHANGES = "known_changes"


class Answers:
    """Answers about assets.

    An event of an asset takes those about it; whatever else is written to the index of assets, by this process or by
    another, takes all.
    """

    def __init__(self) -> None:
        """Start with none."""
        self._by_asset: dict[dg.AssetKey, dict[Hashable, Any]] = {}
        self._is_storing = False

    def look_for_changes(self, connection: Connection) -> None:
        """Forget everything if another connection has written to this database since this one was asked last."""
        # SQLite counts up what others have committed; each connection sees a count of its own.
        changes = connection.exec_driver_sql("PRAGMA data_version").scalar_one()
        if connection.info.get(_KNOWN_CHANGES) != changes:
            self._by_asset.clear()
            connection.info[_KNOWN_CHANGES] = changes

    @contextmanager
    def watching(self, connection: Connection) -> Iterator[None]:
        """Forget everything if this process writes inside, unless it is `storing` an event."""
        before = _changes(connection)
        yield
        if _changes(connection) != before and not self._is_storing:
            self._by_asset.clear()

    @contextmanager
    def storing(self, event: dg.EventLogEntry) -> Iterator[None]:
        """Around storing an event: forget what it changes."""
        self._is_storing = True
        try:
            yield
        finally:
            self._is_storing = False
            self._forget(event)

    def about(self, asset: dg.AssetKey) -> dict[Hashable, Any]:
        """What is known of an asset: question → answer, to be added to."""
        return self._by_asset.setdefault(asset, {})

    def _forget(self, event: dg.EventLogEntry) -> None:
        if event.is_dagster_event and event.dagster_event_type in ASSET_EVENTS:
            self._by_asset.pop(event.get_dagster_event().asset_key, None)  # type: ignore[arg-type]  # None is no key


def _changes(connection: Connection) -> int:
    """Rows that this connection has written, ever."""
    return int(connection.connection.dbapi_connection.total_changes)  # type: ignore[union-attr]  # it is sqlite3's
