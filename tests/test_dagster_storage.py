"""Dagster's storage in a home: a new one that several processes open at the same moment."""

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.project.sources import ROOT

pytestmark = pytest.mark.slow  # processes

PROCESSES = 5
OPEN = """
import sys, time
from pathlib import Path
from stock_assets.instance import open_instance
from stock_assets.settings import load_settings

ready, go = Path(sys.argv[1]), Path(sys.argv[2])
ready.touch()
while not go.exists():
    time.sleep(0.001)
with open_instance(load_settings()) as instance:
    assert instance.get_runs_count() == 0
"""


def test_processes_that_find_a_new_home_together_all_open_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCK_ASSETS_HOME", str(tmp_path / "home"))
    go = tmp_path / "go"
    ready = [tmp_path / f"ready-{number}" for number in range(PROCESSES)]
    opening = [
        subprocess.Popen([sys.executable, "-c", OPEN, str(own), str(go)], cwd=ROOT, stderr=subprocess.PIPE, text=True)
        for own in ready
    ]
    while not all(own.exists() for own in ready):
        assert all(process.poll() is None for process in opening)
        time.sleep(0.01)
    go.touch()
    for process in opening:
        _, errors = process.communicate(timeout=120)
        assert process.returncode == 0, errors
