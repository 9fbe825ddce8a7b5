"""The model registry: one registered model per ticker, whose versions are fits of any model.

So `@champion` and `@challenger` mean what a person expects: the fit that is trusted for this ticker, and the next best.
"""

import json
from pathlib import Path
from typing import TYPE_CHECKING

import pandas as pd

from stock_assets.forecasting.splits import HOLDOUT, WALK_FORWARD
from stock_assets.tracking.store import TrackingStore

if TYPE_CHECKING:
    from mlflow.entities.model_registry import ModelVersion

CHAMPION, CHALLENGER = "champion", "challenger"
_SYNCED = "aliases"
_PAGE = 1000


def registered_name(ticker: str) -> str:
    """Name of a ticker's registered model."""
    return f"stock-assets-{ticker}"


def register(store: TrackingStore, run_id: str, *, ticker: str, model: str, version: str) -> None:
    """Register the final fit that a child run holds, and let go of what is older than the versions kept.

    The fit is the artifact folder `final` of the MLflow run, its `version` that of its manifest.
    """
    from mlflow.exceptions import MlflowException

    name, client = registered_name(ticker), store.client
    with store.locked("registry"):
        try:
            client.create_registered_model(name, {"ticker": ticker})
        except MlflowException as error:
            if error.error_code != "RESOURCE_ALREADY_EXISTS":
                raise
        if not _versions(store, name, fit=version):
            tags = {"model": model, "fit": version}
            client.create_model_version(name, f"runs:/{run_id}/final", run_id, tags, await_creation_for=0)
            _note(store, ticker).unlink(missing_ok=True)
        _let_go(store, name, model)


def _let_go(store: TrackingStore, name: str, model: str) -> None:
    """Delete the versions of a model beyond the newest ones, their files too; one that has an alias stays."""
    held = {str(version) for version in store.client.get_registered_model(name).aliases.values()}
    newest_first = sorted(_versions(store, name, model=model), key=lambda version: -int(version.version))
    for version in newest_first[store.versions :]:
        if str(version.version) not in held:
            store.client.delete_model_version(name, version.version)
            _delete_files(store, str(version.run_id))


def _delete_files(store: TrackingStore, run_id: str) -> None:
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    files = get_artifact_repository(store.client.get_run(run_id).info.artifact_uri, tracking_uri=store.uri)
    for kind in ("evaluated", "final"):
        files.delete_artifacts(kind)  # type: ignore[no-untyped-call]  # MLflow has no types there


def registered_runs(store: TrackingStore) -> set[str]:
    """MLflow runs whose files registered versions are."""
    found: set[str] = set()
    token = None
    while True:
        page = store.client.search_model_versions(max_results=_PAGE, page_token=token)
        found.update(str(version.run_id) for version in page)
        token = page.token
        if not token:
            return found


def _versions(store: TrackingStore, name: str, **tags: str) -> list["ModelVersion"]:
    conditions = [f"name = '{name}'", *(f"tags.`{tag}` = '{value}'" for tag, value in tags.items())]
    return list(store.client.search_model_versions(" and ".join(conditions), max_results=_PAGE))


def _note(store: TrackingStore, ticker: str) -> Path:
    """What the aliases of a ticker were last set to; it goes when a version is added that one of them may mean."""
    return store.folder / _SYNCED / f"{ticker}.json"


def next_best(evaluation: pd.DataFrame, champion: str) -> str | None:
    """The challenger: the other model with the lowest RMSE, on walk-forward rows if there are any, else validation.

    Takes one ticker's rows of table `evaluation`.
    """
    others = evaluation[evaluation["model"] != champion]
    is_validation = (others["scheme"] == HOLDOUT) & (others["role"] == "validation")
    for is_asked in (others["scheme"] == WALK_FORWARD, is_validation):
        if is_asked.any():
            return str(others[is_asked].sort_values(["rmse", "model"])["model"].iloc[0])
    return None


def sync_aliases(store: TrackingStore, ticker: str, *, champion: str, challenger: str | None) -> list[str]:
    """Let `@champion` and `@challenger` (None: there is none) of a ticker point at these versions of final fits.

    MLflow is not touched, nor loaded, while both stay who they are and no version was added. Returned is what could not
    be pointed at, since no such fit is registered; `TrackingUnavailable` where MLflow cannot be reached.
    """
    wanted = {CHAMPION: champion, CHALLENGER: challenger}
    note = _note(store, ticker)
    content = json.dumps({"store": store.address, **wanted})
    if not store.is_on or (note.exists() and note.read_text(encoding="utf-8") == content):
        return []
    name = registered_name(ticker)
    with store.reaching(), store.locked("registry"):
        missing = [alias for alias, fit in wanted.items() if not _point(store, name, alias, fit)]
    note.parent.mkdir(parents=True, exist_ok=True)
    note.write_text(content, encoding="utf-8")
    return missing


def _point(store: TrackingStore, name: str, alias: str, fit: str | None) -> bool:
    """Move one alias; whether it now says what is wanted. A champion that cannot be shown is not shown wrongly."""
    found = _versions(store, name, fit=fit) if fit is not None else []
    if found:
        store.client.set_registered_model_alias(name, alias, found[0].version)
        return True
    if store.client.search_registered_models(f"name = '{name}'"):
        store.client.delete_registered_model_alias(name, alias)
    return fit is None
