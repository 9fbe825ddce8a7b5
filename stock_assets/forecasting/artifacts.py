"""Where fitted models live: immutable folders, addressed by what went into the fit.

    root/ticker=<ticker>/<model>/<version>/   the model's own files, calibration.json, out_of_fold.parquet and
                                              manifest.json (written last)
    root/ticker=<ticker>/<model>/current.json which version of each kind is in use; replaced atomically

A folder is written under a temporary name, fsynced and renamed, so a version exists whole or not at all. Nothing is
read from a folder before the hash of every file has been checked against the manifest. An ensemble's manifest names
the versions of its members, which are read from the same store after the same checks.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any

import pandas as pd

from stock_assets.durable import is_alive, sync_file, sync_folder
from stock_assets.forecasting.ensembles import FittedEnsemble, discover_ensembles
from stock_assets.forecasting.errors import ArtifactMismatch
from stock_assets.forecasting.intervals import Calibration
from stock_assets.forecasting.manifest import KINDS_IN_USE, Kind, Manifest, library_versions, major, table_row
from stock_assets.forecasting.models import Fitted, discover
from stock_assets.forecasting.stored_model import StoredModel, Trained
from stock_assets.forecasting.units import Packed

Version = tuple[str, str, str]
"""Ticker, model and version: the address of a fit."""
_MANIFEST = "manifest.json"
_CALIBRATION = "calibration.json"
_OUT_OF_FOLD = "out_of_fold.parquet"
_CURRENT = "current.json"
TEMPORARY = ".writing-"
"""Start of the name of what is being written, before the id of the process that writes."""
_RETRAIN = "train this model again (stock-assets train)"


@dataclass(frozen=True)
class ArtifactStore:
    """The model folders below one root, which is made when the first one is written."""

    root: Path

    def folder(self, ticker: str, model: str, version: str) -> Path:
        """Where a version is kept, whether it exists or not."""
        return self._models(ticker, model) / version

    def save(self, model: StoredModel) -> StoredModel:
        """Write a model whole; a folder of that version that does not verify is replaced, one that does is kept.

        Returned is the model with the manifest as stored, `files` filled in.
        """
        manifest = model.manifest
        target = self.folder(manifest.ticker, manifest.model, manifest.version)
        target.parent.mkdir(parents=True, exist_ok=True)
        writing = target.parent / f"{TEMPORARY}{os.getpid()}-{manifest.version}"
        shutil.rmtree(writing, ignore_errors=True)
        writing.mkdir()
        model.fitted.save(writing)
        model.out_of_fold.to_parquet(writing / _OUT_OF_FOLD, index=False)
        _write_json(writing / _CALIBRATION, model.calibration.to_json())
        complete = replace(manifest, files=_hashes(writing))
        for name in complete.files:
            sync_file(writing / name)
        _write_json(writing / _MANIFEST, asdict(complete))
        sync_folder(writing)
        return replace(model, manifest=self._move_into_place(writing, target, complete))

    def _move_into_place(self, writing: Path, target: Path, manifest: Manifest) -> Manifest:
        address = manifest.ticker, manifest.model, manifest.version
        if target.exists() and not self.verifies(*address):
            shutil.rmtree(target)
        try:
            writing.rename(target)
        except OSError:
            # The same version is there already, perhaps since a moment ago by another process: it stays.
            kept = self.manifest(*address)
            shutil.rmtree(writing)
            return kept
        sync_folder(target.parent)
        return manifest

    def verifies(self, ticker: str, model: str, version: str) -> bool:
        """Whether this version is in the store, complete and unchanged."""
        try:
            self.manifest(ticker, model, version)
        except ArtifactMismatch:
            return False
        return True

    def manifest(self, ticker: str, model: str, version: str) -> Manifest:
        """The manifest of a version, after every check that loading makes.

        Raises:
            ArtifactMismatch: the folder is missing, incomplete, changed, of another model, or from other libraries; or
                that is true of a fit that this one combines.
        """
        folder = self.folder(ticker, model, version)
        manifest = _read_manifest(folder)
        for name, value in {"ticker": ticker, "model": model, "version": version}.items():
            if (found := getattr(manifest, name)) != value:
                raise ArtifactMismatch(f"{folder} holds {name} {found!r}, and {value!r} was asked for", cure=_RETRAIN)
        _check_files(folder, manifest)
        _check_libraries(folder, manifest)
        for parent, parent_version in manifest.parents.items():
            try:
                self.manifest(ticker, parent, parent_version)
            except ArtifactMismatch as error:
                combines = f"{model} {version} combines {parent} {parent_version}"
                raise ArtifactMismatch(
                    f"{combines}, which cannot be used: {error.problem}",
                    cure=f"train {parent} and {model} again (stock-assets train)",
                ) from error
        return manifest

    def load(self, ticker: str, model: str, version: str) -> StoredModel:
        """Read a model back, without running any code that is in its folder; errors as `manifest`."""
        manifest = self.manifest(ticker, model, version)
        folder = self.folder(ticker, model, version)
        calibration = Calibration.from_json(json.loads((folder / _CALIBRATION).read_text()))
        fitted, out_of_fold = self._fitted(folder, manifest), pd.read_parquet(folder / _OUT_OF_FOLD)
        return StoredModel(fitted, calibration, manifest, out_of_fold)

    def packed(self, ticker: str, model: str, version: str) -> Packed:
        """A model's own files, to be asked elsewhere; errors as `manifest`."""
        return self._packed(self.folder(ticker, model, version), self.manifest(ticker, model, version))

    def _fitted(self, folder: Path, manifest: Manifest) -> Fitted:
        ensemble = discover_ensembles().get(manifest.model)
        if ensemble is None:
            return self._packed(folder, manifest)

        def find() -> list[StoredModel]:
            return [self.load(manifest.ticker, name, version) for name, version in manifest.parents.items()]

        return FittedEnsemble.load(folder, ensemble(**manifest.settings), find)

    def _packed(self, folder: Path, manifest: Manifest) -> Packed:
        own = sorted(manifest.files.keys() - {_CALIBRATION, _OUT_OF_FOLD})
        files = {name: (folder / name).read_bytes() for name in own}
        return Packed(discover()[manifest.model](**manifest.settings), files)

    def set_current(self, ticker: str, model: str, versions: Mapping[Kind, str]) -> None:
        """Point at the versions in use, all kinds at once."""
        pointer = self._models(ticker, model) / _CURRENT
        writing = pointer.with_name(f"{TEMPORARY}{os.getpid()}-{_CURRENT}")
        _write_json(writing, dict(versions))
        writing.replace(pointer)
        sync_folder(pointer.parent)

    def current(self, ticker: str, model: str) -> dict[Kind, str]:
        """Version in use of each kind; `ArtifactMismatch` where this model has not been trained for this ticker."""
        pointer = self._models(ticker, model) / _CURRENT
        if not pointer.exists():
            raise ArtifactMismatch(f"no {model} has been trained for {ticker} in {self.root}", cure=_RETRAIN)
        versions = json.loads(pointer.read_text())
        return {kind: str(versions[kind]) for kind in KINDS_IN_USE}

    def load_current(self, ticker: str, model: str) -> Trained:
        """Both fits in use; errors as `current` and `manifest`."""
        versions = self.current(ticker, model)
        return Trained(**{kind: self.load(ticker, model, versions[kind]) for kind in KINDS_IN_USE})

    def versions(self) -> list[Version]:
        """Every fit that was written whole, in order."""
        folders = [path.parent for path in sorted(self.root.glob(f"ticker=*/*/*/{_MANIFEST}"))]
        whole = [folder for folder in folders if not folder.name.startswith(TEMPORARY)]
        return [(folder.parts[-3].removeprefix("ticker="), folder.parts[-2], folder.name) for folder in whole]

    def last_written(self, address: Version) -> Path:
        """The file of a fit that is as old as the whole."""
        return self.folder(*address) / _MANIFEST

    def remove(self, address: Version) -> None:
        """Take a fit away whole: nobody sees half of it."""
        folder = self.folder(*address)
        leaving = folder.with_name(f"{TEMPORARY}{os.getpid()}-{folder.name}")
        folder.rename(leaving)
        shutil.rmtree(leaving)

    def abandoned(self) -> list[Path]:
        """What writers that are no longer alive left behind."""
        unfinished = sorted(self.root.glob(f"ticker=*/*/{TEMPORARY}*"))
        return [path for path in unfinished if not is_alive(int(path.name.removeprefix(TEMPORARY).split("-")[0]))]

    def sweep(self) -> list[Path]:
        """Remove what is abandoned; returns what was removed."""
        for path in (swept := self.abandoned()):
            shutil.rmtree(path) if path.is_dir() else path.unlink()
        return swept

    def _models(self, ticker: str, model: str) -> Path:
        return self.root / f"ticker={ticker}" / model


def describe(trained: Trained) -> pd.DataFrame:
    """The two rows of table `models`; `mlflow_run_id` and `run_id` are None, for whoever tracks and runs the fit."""
    return pd.DataFrame([table_row(model.manifest) for model in (trained.evaluated, trained.final)])


def _read_manifest(folder: Path) -> Manifest:
    path = folder / _MANIFEST
    if not folder.exists():
        raise ArtifactMismatch(f"no model is stored in {folder}", cure=_RETRAIN)
    if not path.exists():
        raise ArtifactMismatch(f"{folder} has no {_MANIFEST}, so its writing never finished", cure=_RETRAIN)
    try:
        return Manifest(**json.loads(path.read_text()))
    except (ValueError, TypeError) as error:
        raise ArtifactMismatch(f"{path} is not a manifest this version can read ({error})", cure=_RETRAIN) from error


def _check_files(folder: Path, manifest: Manifest) -> None:
    found = _hashes(folder)
    for name in sorted(found.keys() | manifest.files.keys()):
        if name not in found:
            raise ArtifactMismatch(f"{folder} lacks {name}, which its manifest lists", cure=_RETRAIN)
        if name not in manifest.files:
            raise ArtifactMismatch(f"{folder} holds {name}, which its manifest does not list", cure=_RETRAIN)
        now, then = found[name], manifest.files[name]
        if now != then:
            problem = f"{folder / name} was changed: its hash starts {now[:12]}, the manifest says {then[:12]}"
            raise ArtifactMismatch(problem, cure=_RETRAIN)


def _check_libraries(folder: Path, manifest: Manifest) -> None:
    for name, installed in library_versions(tuple(manifest.libraries)).items():
        fitted_with = manifest.libraries[name]
        if major(installed) != major(fitted_with):
            problem = f"{folder} was written with {name} {fitted_with}, and {installed} is installed"
            raise ArtifactMismatch(problem, cure=_RETRAIN)


def _hashes(folder: Path) -> dict[str, str]:
    files = sorted(path for path in folder.rglob("*") if not path.is_dir() and path != folder / _MANIFEST)
    return {path.relative_to(folder).as_posix(): _hash(path, _signature(path)) for path in files}


def _signature(path: Path) -> tuple[int, int, int]:
    """What tells one content of a file from another: whoever replaces a file makes a new inode."""
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


@lru_cache(maxsize=20_000)
def _hash(path: Path, _: tuple[int, int, int]) -> str:
    """Hash of a file, computed once for each content: an ensemble asks for its members' files again."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _write_json(path: Path, content: Any) -> None:
    with path.open("w") as file:
        json.dump(content, file, indent=1, sort_keys=True)
        file.flush()
        os.fsync(file.fileno())
