"""The door to MLflow: the client, addresses people can open, the lock of a home, and what counts as unreachable."""

import fcntl
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from stock_assets.errors import StockAssetsError
from stock_assets.settings import Settings, quiet_libraries, redact

if TYPE_CHECKING:
    from mlflow import MlflowClient

EXPERIMENT = "stock-assets"
STORE_FILE = "mlflow.db"
_SQLITE = "sqlite:///"
_LONGEST = 300  # characters of MLflow's own words that are shown

# MLflow offers no call for this; these columns of its schema are as old as its registry.
_MOVE = (
    "UPDATE runs SET artifact_uri = :new || substr(artifact_uri, length(:old) + 1) "
    "WHERE substr(artifact_uri, 1, length(:old) + 1) = :old || '/'",
    "UPDATE model_versions SET storage_location = :new || substr(storage_location, length(:old) + 1) "
    "WHERE substr(storage_location, 1, length(:old) + 1) = :old || '/'",
    "UPDATE experiments SET artifact_location = :new WHERE artifact_location = :old",
)


class TrackingUnavailable(StockAssetsError):
    """MLflow could not be reached or refused; the work itself goes on."""


@dataclass(frozen=True)
class TrackingStore:
    """One MLflow store, seen from one home.

    Attributes:
        uri: its address; empty: tracking is off.
        folder: what tracking keeps in the home: the default store, artifacts, notes of runs that are not ended.
        versions: registered versions kept of each model of a ticker.
    """

    uri: str = field(repr=False)
    folder: Path
    ui: str
    dagster_ui: str
    versions: int

    @classmethod
    def of(cls, settings: Settings) -> "TrackingStore":
        """The store that the settings name."""
        return cls(
            settings.mlflow_uri, settings.mlflow_dir, settings.mlflow_ui, settings.dagster_ui, settings.mlflow_versions
        )

    @property
    def is_on(self) -> bool:
        """Whether anything is tracked."""
        return bool(self.uri)

    @property
    def is_in_home(self) -> bool:
        """Whether the store is the home's own, which moves with it."""
        return self.uri == f"{_SQLITE}{self.folder / STORE_FILE}"

    @property
    def _artifacts(self) -> str:
        return (self.folder / "artifacts").as_uri()

    @property
    def address(self) -> str:
        """`uri` without any password; the home's own store is called so wherever the home is."""
        return "the home's own store" if self.is_in_home else redact(self.uri)

    @cached_property
    def client(self) -> "MlflowClient":
        """MLflow's client. Importing it takes a second or two, and a fresh store as long to lay out."""
        quiet_libraries()
        from mlflow import MlflowClient

        return MlflowClient(tracking_uri=self.uri, registry_uri=self.uri)

    @cached_property
    def experiment_id(self) -> str:
        """The experiment of all runs, made when it is missing. Its artifacts are in the home where the store is."""
        with self.locked("store"):
            self._lay_out()
            found = self.client.get_experiment_by_name(EXPERIMENT)
            if found is not None:
                if self.is_in_home and found.artifact_location != self._artifacts:
                    # A home that was moved or restored elsewhere: addresses of artifacts are absolute.
                    _move_artifacts(self.folder / STORE_FILE, found.artifact_location, self._artifacts)
                return str(found.experiment_id)
            location = self._artifacts if self.is_in_home else None
            return str(self.client.create_experiment(EXPERIMENT, artifact_location=location))

    def _lay_out(self) -> None:
        """Make a fresh SQLite store elsewhere and move it into place.

        MLflow lays out its tables in many steps: a second process that opens the file in between fails for good, and so
        would everybody after a kill.
        """
        if not self.uri.startswith(_SQLITE) or (file := Path(self.uri.removeprefix(_SQLITE))).exists():
            return
        from mlflow import MlflowClient

        file.parent.mkdir(parents=True, exist_ok=True)
        writing = file.with_name(f"{file.name}.writing")
        writing.unlink(missing_ok=True)
        MlflowClient(tracking_uri=f"{_SQLITE}{writing}").search_experiments(max_results=1)
        writing.rename(file)

    def link(self, run_id: str) -> str:
        """Where a run is seen in MLflow's UI."""
        return f"{self.ui}/#/experiments/{self.experiment_id}/runs/{run_id}"

    def dagster_link(self, run_id: str) -> str:
        """Where a run is seen in Dagster's UI."""
        return f"{self.dagster_ui}/runs/{run_id}"

    @contextmanager
    def locked(self, subject: str) -> Iterator[None]:
        """One process of this home at a time; the lock goes with its process, however that ends."""
        self.folder.mkdir(parents=True, exist_ok=True)
        with (self.folder / f"{subject}.lock").open("w") as file:
            fcntl.flock(file, fcntl.LOCK_EX)
            yield

    @contextmanager
    def reaching(self) -> Iterator[None]:
        """Around what talks to MLflow, and only that: every way it fails or refuses becomes `TrackingUnavailable`."""
        quiet_libraries()
        from alembic.util.exc import CommandError
        from mlflow.exceptions import MlflowException
        from sqlalchemy.exc import SQLAlchemyError

        try:
            yield
        except (MlflowException, SQLAlchemyError, CommandError, OSError) as error:
            said = redact(" ".join(str(error).split()))[:_LONGEST]
            raise TrackingUnavailable(
                f"MLflow at {redact(self.uri)} could not be used ({type(error).__name__}: {said})",
                cure="start it or correct STOCK_ASSETS_MLFLOW_URI, then train again: finished fits are only tracked",
            ) from error


def _move_artifacts(file: Path, old: str, new: str) -> None:
    """Let every address of artifacts in a SQLite store that begins with `old` begin with `new`, all or none of them."""
    with closing(sqlite3.connect(file, timeout=30)) as connection, connection:
        for statement in _MOVE:
            connection.execute(statement, {"old": old, "new": new})
