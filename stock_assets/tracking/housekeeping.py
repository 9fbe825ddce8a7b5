"""MLflow runs of the home's own store that nothing refers to any more, and taking them away for good.

Runs of other experiments are somebody else's; so are those of a store that is not the home's.
"""

import shutil
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from stock_assets.forecasting.artifacts import Version
from stock_assets.tracking.parents import PARENT_TAG
from stock_assets.tracking.registry import registered_runs
from stock_assets.tracking.store import STORE_FILE, TrackingStore

if TYPE_CHECKING:
    from mlflow.entities import Run

_PAGE = 1000
_VERSION_TAGS = ("evaluated_version", "final_version")


@dataclass(frozen=True)
class Unreferenced:
    """A run that can go, and the folder of its artifacts; None where they are not in the home."""

    run_id: str
    folder: Path | None


def unreferenced(
    store: TrackingStore, *, linked: Collection[str], fits: Collection[Version], before: datetime
) -> list[Unreferenced]:
    """The runs that ended before a moment (aware) and that no table, registered version or remaining child refers to.

    Args:
        store: looked at only where it is the home's own and has been laid out.
        linked: MLflow runs that tables name.
        fits: fits that are stored in a table or needed by one.

    Raises:
        TrackingUnavailable: the store cannot be read.
    """
    if not store.is_in_home or not (store.folder / STORE_FILE).exists():
        return []
    with store.reaching():
        runs = _all_runs(store)
        held = {*linked, *registered_runs(store)}
    children = [run for run in runs if run.data.tags.get("kind") == "fit"]
    old = [run for run in children if _ended_before(run, before) and not _is_needed(run, held, fits)]
    leaving = {run.info.run_id for run in old}
    with_children = {run.data.tags.get(PARENT_TAG) for run in children if run.info.run_id not in leaving}
    parents = [run for run in runs if run.data.tags.get("kind") == "parent"]
    old += [run for run in parents if _ended_before(run, before) and run.info.run_id not in {*with_children, *held}]
    return [Unreferenced(str(run.info.run_id), _folder(store, run)) for run in old]


def remove(store: TrackingStore, runs: Sequence[Unreferenced]) -> None:
    """Take runs away for good, with their artifacts; `TrackingUnavailable` where the store cannot be written."""
    for run in runs:
        with store.reaching():
            store.client.delete_run(run.run_id)
            # `delete_run` only hides it. `mlflow gc` empties MLflow's bin by this call, whatever else is in there too.
            store.client._tracking_client.store._hard_delete_run(run.run_id)
        if run.folder is not None:
            shutil.rmtree(run.folder, ignore_errors=True)


def _all_runs(store: TrackingStore) -> list["Run"]:
    """Those in MLflow's bin too."""
    from mlflow.entities import ViewType

    found: list[Run] = []
    token = None
    while True:
        page = store.client.search_runs([store.experiment_id], "", ViewType.ALL, _PAGE, page_token=token)
        found += page
        token = page.token
        if not token:
            return found


def _ended_before(run: "Run", before: datetime) -> bool:
    """One that is said to be running is ended by `repair`, not here."""
    ended_at = run.info.end_time
    return run.info.status != "RUNNING" and ended_at is not None and ended_at < before.timestamp() * 1000


def _is_needed(run: "Run", held: Collection[str], fits: Collection[Version]) -> bool:
    tags = run.data.tags
    own = {(tags.get("ticker"), tags.get("model"), tags.get(name)) for name in _VERSION_TAGS}
    return run.info.run_id in held or not own.isdisjoint(fits)


def _folder(store: TrackingStore, run: "Run") -> Path | None:
    """MLflow's folder of a run is `<artifacts>/<run>/artifacts`; the outer one is made for it alone."""
    path = Path(unquote(urlsplit(run.info.artifact_uri).path))
    outer = path.parent
    return outer if outer == store.folder / "artifacts" / str(run.info.run_id) else None
