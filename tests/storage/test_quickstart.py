import runpy
from pathlib import Path

import pytest

from storage.publisher import Publisher
from tests.storage.frames import rows

EXAMPLE = Path(__file__).resolve().parents[2] / "docs" / "examples" / "quickstart.py"


def test_the_example_gives_frames(publisher: Publisher, monkeypatch: pytest.MonkeyPatch) -> None:
    publisher.lake.append("forecasts", rows("forecasts", 1))
    publisher.lake.write("evaluation", rows("evaluation", 1, role="test"), ticker="AAPL")
    publisher.publish()
    monkeypatch.setenv("STOCK_ASSETS_HOME", str(publisher.home))
    shown = runpy.run_path(str(EXAMPLE))
    assert len(shown["forecasts"]) == 1
    assert shown["scores"]["model"].tolist() == ["random_walk"]
