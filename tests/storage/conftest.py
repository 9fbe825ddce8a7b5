from pathlib import Path

import pytest

from storage.lake import Lake
from storage.publisher import Publisher


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A home whose path has spaces, quotes and glob characters, as people's folders do."""
    return tmp_path / "it's [my] home"


@pytest.fixture
def lake(home: Path) -> Lake:
    return Lake(home / "lake")


@pytest.fixture
def publisher(home: Path) -> Publisher:
    return Publisher(home)
