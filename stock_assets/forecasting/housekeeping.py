"""Which fits are stored, and taking one away whole. (What killed writers left is swept by the store itself.)"""

import os
import shutil
from pathlib import Path

from stock_assets.forecasting.artifacts import TEMPORARY, ArtifactStore

Version = tuple[str, str, str]
"""Ticker, model and version: the address of a fit."""
_LAST_WRITTEN = "manifest.json"


def versions(store: ArtifactStore) -> list[Version]:
    """Every fit that was written whole, in order."""
    folders = [path.parent for path in sorted(store.root.glob(f"ticker=*/*/*/{_LAST_WRITTEN}"))]
    whole = [folder for folder in folders if not folder.name.startswith(TEMPORARY)]
    return [(folder.parts[-3].removeprefix("ticker="), folder.parts[-2], folder.name) for folder in whole]


def last_written(store: ArtifactStore, address: Version) -> Path:
    """The file of a fit that is as old as the whole."""
    return store.folder(*address) / _LAST_WRITTEN


def remove(store: ArtifactStore, address: Version) -> None:
    """Take a fit away: nobody sees half of it."""
    folder = store.folder(*address)
    leaving = folder.with_name(f"{TEMPORARY}{os.getpid()}-{folder.name}")
    folder.rename(leaving)
    shutil.rmtree(leaving)
