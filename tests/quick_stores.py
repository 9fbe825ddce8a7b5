"""SQLite stores of Dagster and MLflow, without what these libraries do again for each connection and each store.

Dagster makes an engine for every connection, and with it compiles every statement anew; alembic reads all migrations
to learn the newest. Both are kept here for the life of the process. Processes that tests start do without.
"""

from functools import lru_cache
from typing import Any

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from dagster._core.storage.event_log.sqlite import sqlite_event_log
from dagster._core.storage.runs.sqlite import sqlite_run_storage
from dagster._core.storage.schedules.sqlite import sqlite_schedule_storage
from sqlalchemy import Engine, create_engine
from sqlalchemy.pool import NullPool

_STORAGES = (sqlite_event_log, sqlite_run_storage, sqlite_schedule_storage)


def keep_engines_and_migrations(patch: pytest.MonkeyPatch) -> None:
    """One engine a database, and one reading of each library's migrations, as long as `patch` lasts."""
    for module in _STORAGES:
        patch.setattr(module, "create_engine", _engine)
    patch.setattr(ScriptDirectory, "from_config", _migrations)


def _engine(address: str, *, poolclass: type, connect_args: dict[str, Any] | None = None) -> Engine:
    assert poolclass is NullPool, "each connection is opened and closed as ever"
    return _kept_engine(address, tuple((connect_args or {}).items()))


@lru_cache(maxsize=256)
def _kept_engine(address: str, connect_args: tuple[tuple[str, Any], ...]) -> Engine:
    return create_engine(address, poolclass=NullPool, connect_args=dict(connect_args))


_kept: dict[str, ScriptDirectory] = {}
_read = ScriptDirectory.from_config


def _migrations(config: Config) -> ScriptDirectory:
    place = str(config.get_alembic_option("script_location"))
    if place not in _kept:
        _kept[place] = _read(config)
    return _kept[place]
