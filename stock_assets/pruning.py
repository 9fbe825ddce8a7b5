"""What a home can do without: found first, shown, and removed only when asked to.

Nothing that `trace` needs goes: a forecast's fit stays as long as the forecast, and bars are never touched.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import dagster as dg

from stock_assets.errors import StockAssetsError
from stock_assets.forecasting.artifacts import ArtifactStore, Version
from stock_assets.forecasting.errors import ArtifactMismatch
from stock_assets.partitions import MARKETS
from stock_assets.settings import Settings
from stock_assets.tracking import housekeeping as tracked
from stock_assets.tracking.store import TrackingStore
from storage import locks
from storage.backup import upkeep_lock
from storage.files import is_abandoned, remove_abandoned
from storage.lake import Lake
from storage.layout import scan
from storage.published import generation_path, generations
from storage.publisher import KEPT_GENERATIONS
from storage.tables import TABLES

_PATIENCE = 10.0  # seconds for a backup to end
_REFERRING = ("predictions", "backtest_folds", "forecasts", "champion")
_ENDED = [dg.DagsterRunStatus.SUCCESS, dg.DagsterRunStatus.FAILURE, dg.DagsterRunStatus.CANCELED]


class Busy(StockAssetsError):
    """A backup is being made."""


@dataclass(frozen=True)
class Category:
    """One kind of thing that can go.

    Attributes:
        rule: which of them stay.
        count: how many can go.
        size: bytes that frees; 0 where that shows only afterwards.
        remove: takes them away.
    """

    name: str
    rule: str
    count: int
    size: int
    remove: Callable[[], object]


def find(settings: Settings, instance: dg.DagsterInstance, *, before: datetime) -> list[Category]:
    """What can go, category by category, and is older than `before` (aware). Nothing is removed.

    Raises:
        TrackingUnavailable: the home's MLflow store cannot be read.
    """
    lake, store = Lake(settings.lake_dir), ArtifactStore(settings.models_dir)
    stored = store.versions()
    needed = _needed(lake, store, stored)
    generation_files = [generation_path(settings.home, number) for number in generations(settings.home)]
    aside = [path for path in sorted(settings.home.glob("warehouse.duckdb.wal.*.aside")) if _is_older(path, before)]
    return [
        _runs(settings, instance, before),
        _models(store, stored, needed, before),
        _tracked(TrackingStore.of(settings), lake, needed, before),
        _files("published databases", f"the newest {KEPT_GENERATIONS}", generation_files[:-KEPT_GENERATIONS]),
        _files("somebody's unfinished writes to warehouse.duckdb", "younger ones", aside),
        _leftovers(settings, lake, store),
        _fragments(lake),
    ]


def remove(settings: Settings, categories: Iterable[Category]) -> None:
    """Take away what was found, while no backup is being made; `Busy` where one is, and does not end soon."""
    with locks.exclusive(upkeep_lock(settings.home), patience=_PATIENCE) as held:
        if not held:
            raise Busy(f"a backup of {settings.home} is being made", cure="prune when it has ended")
        for category in categories:
            category.remove()


def _runs(settings: Settings, instance: dg.DagsterInstance, before: datetime) -> Category:
    needed = set(_newest_makers(instance))
    old = [
        record.dagster_run.run_id
        for record in instance.get_run_records(dg.RunsFilter(statuses=_ENDED, updated_before=before))
        if record.dagster_run.run_id not in needed
    ]

    def go() -> None:
        for run_id in old:
            instance.delete_run(run_id)
            instance.compute_log_manager.delete_logs(prefix=[run_id])
            for path in _event_files(settings, run_id):
                path.unlink(missing_ok=True)

    files = (path for run_id in old for path in (*_event_files(settings, run_id), settings.dagster_dir / run_id))
    size = sum(map(_size, files))
    return Category("Dagster runs", "the newest that made an asset's partition, and younger ones", len(old), size, go)


def _newest_makers(instance: dg.DagsterInstance) -> Iterator[str]:
    """Runs whose events say that an asset's partition is there."""
    kind = dg.DagsterEventType.ASSET_MATERIALIZATION
    markets = set(instance.get_dynamic_partitions(str(MARKETS.name)))  # a partition of earlier versions is a ticker
    for key in instance.all_asset_keys():
        stored = instance.event_log_storage.get_latest_storage_id_by_partition(key, kind)
        newest = [storage_id for partition, storage_id in stored.items() if partition in markets]
        if newest:
            wanted = dg.AssetRecordsFilter(asset_key=key, storage_ids=newest)
            yield from (record.run_id for record in instance.fetch_materializations(wanted, limit=len(newest)).records)


def _event_files(settings: Settings, run_id: str) -> list[Path]:
    """Dagster keeps a run's events in a database of its own, which outlives them."""
    return sorted((settings.dagster_dir / "history" / "runs").glob(f"{run_id}.db*"))


def _models(store: ArtifactStore, stored: Iterable[Version], needed: set[Version], before: datetime) -> Category:
    # A fit in the making is in no table yet, and one of a backtest that was cut off is taken up again.
    old = [address for address in stored if address not in needed and _is_older(store.last_written(address), before)]

    def go() -> None:
        for address in old:
            store.remove(address)

    size = sum(_size(store.folder(*address)) for address in old)
    return Category("model folders", "those in use or named by a prediction, forecast or champion", len(old), size, go)


def _needed(lake: Lake, store: ArtifactStore, stored: Iterable[Version]) -> set[Version]:
    needed: set[Version] = set()
    for table in _REFERRING:
        rows = lake.read(table)[["ticker", "model", "model_version"]].drop_duplicates()
        needed.update((str(row.ticker), str(row.model), str(row.model_version)) for row in rows.itertuples())
    for ticker, model in {(ticker, model) for ticker, model, _ in stored}:
        try:
            needed.update((ticker, model, version) for version in store.current(ticker, model).values())
        except ArtifactMismatch:  # no fit of it is in use
            continue
    return needed | {parent for address in needed for parent in _parents(store, address)}


def _parents(store: ArtifactStore, address: Version) -> list[Version]:
    """The fits that a combination is read with."""
    try:
        parents = store.manifest(*address).parents
    except ArtifactMismatch:  # gone or damaged: it is read with nothing
        return []
    return [(address[0], model, version) for model, version in parents.items()]


def _tracked(store: TrackingStore, lake: Lake, needed: set[Version], before: datetime) -> Category:
    fits = lake.read("models")
    known = {(str(row.ticker), str(row.model), str(row.version)) for row in fits.itertuples()}
    linked = set(fits["mlflow_run_id"].dropna())
    old = tracked.unreferenced(store, linked=linked, fits=needed | known, before=before)
    size = sum(_size(run.folder) for run in old if run.folder is not None)
    rule = "those of a fit in models or in use, of a registered version, and younger ones"
    return Category("MLflow runs", rule, len(old), size, lambda: tracked.remove(store, old))


def _leftovers(settings: Settings, lake: Lake, store: ArtifactStore) -> Category:
    folders = (settings.lake_dir, settings.published_dir)
    hidden = [path for folder in folders for path in folder.rglob(".*.tmp*")]
    left = [path for path in (*hidden, *settings.home.glob(".*.tmp*")) if is_abandoned(path)] + store.abandoned()

    def go() -> None:
        lake.sweep()
        store.sweep()
        remove_abandoned(settings.published_dir)
        remove_abandoned(settings.home, deep=False)

    rule = "those of living processes"
    return Category("temporary files of killed processes", rule, len(left), sum(map(_size, left)), go)


def _fragments(lake: Lake) -> Category:
    counts = {name: len(scan(lake.root, table)) for name, table in TABLES.items() if table.append_only}
    many = {name: count for name, count in counts.items() if count > 1}

    def go() -> None:
        for name in many:
            lake.compact(name)

    rule = "every row, in one file a table"
    return Category("files of append-only tables", rule, sum(many.values()) - len(many), 0, go)


def _files(name: str, rule: str, paths: list[Path]) -> Category:
    def go() -> None:
        for path in paths:
            path.unlink(missing_ok=True)

    return Category(name, rule, len(paths), sum(map(_size, paths)), go)


def _is_older(path: Path, before: datetime) -> bool:
    return datetime.fromtimestamp(path.stat().st_mtime, UTC) < before


def _size(path: Path) -> int:
    """Bytes of a file, or of everything below a folder; 0 where it is gone."""
    below = [path, *path.rglob("*")] if path.is_dir() else [path]
    return sum(file.stat().st_size for file in below if file.is_file())
