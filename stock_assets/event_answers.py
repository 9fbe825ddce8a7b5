"""What Dagster's event log has answered, kept until an event changes it."""

from collections.abc import Hashable
from typing import Any

import dagster as dg
from dagster._core.events import ASSET_EVENTS
from sqlalchemy import Connection

_KNOWN_CHANGES = "known_changes"


class Answers:
    """Answers about assets, forgotten when this process stores an event of the asset, or another process writes."""

    def __init__(self) -> None:
        """Start with none."""
        self._by_asset: dict[dg.AssetKey, dict[Hashable, Any]] = {}

    def look_for_changes(self, connection: Connection) -> None:
        """Forget everything if another connection has written to this database since this one was asked last."""
        # SQLite counts up what others have committed; each connection sees a count of its own.
        changes = connection.exec_driver_sql("PRAGMA data_version").scalar_one()
        if connection.info.get(_KNOWN_CHANGES) != changes:
            self._by_asset.clear()
            connection.info[_KNOWN_CHANGES] = changes

    def forget(self, event: dg.EventLogEntry) -> None:
        """Forget what a new event changes."""
        if event.is_dagster_event and event.dagster_event_type in ASSET_EVENTS:
            self._by_asset.pop(event.get_dagster_event().asset_key, None)  # type: ignore[arg-type]  # None is no key

    def about(self, asset: dg.AssetKey) -> dict[Hashable, Any]:
        """What is known of an asset: question → answer, to be added to."""
        return self._by_asset.setdefault(asset, {})
