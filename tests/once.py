"""Folders that take long to make: one of the test processes makes each, and all of them read or copy it."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from storage import locks


def made_once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], None]) -> Path:
    """A folder that `make` has filled, in this process or in another one of this session."""
    own = factory.getbasetemp()
    shared = own.parent if "PYTEST_XDIST_WORKER" in os.environ else own
    folder, finished = shared / name, shared / f"{name}.finished"
    with locks.exclusive(shared / f"{name}.lock"):
        if not finished.exists():
            folder.mkdir()  # fails where another process failed: it was told there
            make(folder)
            finished.touch()
    return folder
