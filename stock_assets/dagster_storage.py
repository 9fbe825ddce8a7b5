"""Where Dagster keeps runs, events and schedules: SQLite files in the home, or PostgreSQL where the settings name one.

`dagster.yaml` names this class, so that one variable moves every process that reads it: Dagster's own services, their
runs and the command line (docs/adr/0105).
"""

from pathlib import Path
from typing import Any

from dagster._core.storage.base_storage import DagsterStorage  # a type: what `dagster.yaml` may name has no public one
from dagster._core.storage.sqlite_storage import DagsterSqliteStorage  # Dagster's default, used as it is
from dagster._serdes import ConfigurableClassData  # a type: what Dagster hands to a class that `dagster.yaml` names

from stock_assets.errors import StockAssetsError
from stock_assets.settings import load_settings, redact
from storage import locks


class PostgresUnavailable(StockAssetsError):
    """PostgreSQL was named as Dagster's store and cannot be used."""


class ChosenStorage(DagsterSqliteStorage):
    """Dagster's storage as the settings choose it."""

    @classmethod
    def from_config_value(cls, inst_data: ConfigurableClassData | None, config_value: Any) -> Any:
        """A `DagsterStorage`, as Dagster makes what its configuration names.

        `PostgresUnavailable` where that was chosen, and its client is missing or the server does not answer or refuses.
        """
        url = load_settings().dagster_postgres
        if url:
            return _postgres(url, inst_data)
        # Of several processes that find a new folder, one makes the tables: Dagster's migrations are not made for two
        # at once, and UI, daemon and code server start together.
        with locks.exclusive(Path(config_value["base_dir"]) / "opening.lock"):
            return DagsterSqliteStorage.from_local(inst_data=inst_data, **config_value)


def _postgres(url: str, inst_data: ConfigurableClassData | None) -> DagsterStorage:
    try:
        from dagster_postgres import DagsterPostgresStorage
    except ModuleNotFoundError as error:
        raise PostgresUnavailable(
            f"STOCK_ASSETS_DAGSTER_POSTGRES_URL is set, but {error.name} is not installed",
            cure="install it: pip install 'stock-assets[postgres]' -c constraints.txt",
        ) from error
    from dagster_postgres.utils import DagsterPostgresException
    from sqlalchemy.exc import SQLAlchemyError

    # dagster-postgres brings psycopg 2; what SQLAlchemy takes of its own accord is psycopg 3, since its version 2.1.
    driven = url.replace("postgresql://", "postgresql+psycopg2://", 1)
    try:
        return DagsterPostgresStorage(driven, inst_data=inst_data)
    except (DagsterPostgresException, SQLAlchemyError) as error:
        cause = error.__cause__ if isinstance(error, DagsterPostgresException) else error  # it has tried several times
        said = redact(str(getattr(cause, "orig", cause)).strip().splitlines()[0])
        problem = f"PostgreSQL at {redact(url)} could not be used ({said})"
        raise PostgresUnavailable(problem, cure="start it or correct STOCK_ASSETS_DAGSTER_POSTGRES_URL") from error
