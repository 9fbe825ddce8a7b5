from pathlib import Path

import pytest

from storage.lake import Lake
from storage.publisher import Publisher
from tests.storage.frames import rows


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


@pytest.fixture(scope="module")
def published(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which five bars of AAPL are published."""
    publisher = Publisher(tmp_path_factory.mktemp("it's a home"))
    publisher.lake.write("prices", rows("prices", 5), ticker="AAPL")
    publisher.publish()
    return publisher.home
