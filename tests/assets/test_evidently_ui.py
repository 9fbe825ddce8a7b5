"""Evidently's screens, started by the command that docs/monitoring.md gives, asked over HTTP."""

import json
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from stock_assets.drift_reports import DriftWorkspace
from tests.project.sources import ROOT

pytestmark = pytest.mark.slow
_PATIENCE_S = 90


def _documented(workspace: Path, port: int) -> list[str]:
    """The command of the document, for this workspace and port."""
    text = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
    found = re.search(r"^evidently ui .+$", text, re.MULTILINE)
    assert found is not None
    line = found.group().replace("$STOCK_ASSETS_HOME/evidently", str(workspace)).replace("8000", str(port))
    return [str(Path(sys.executable).with_name("evidently")), *line.split()[1:]]


@contextmanager
def _served(workspace: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    with subprocess.Popen(
        _documented(workspace, port), cwd=workspace.parent, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as server:
        try:
            yield f"http://127.0.0.1:{port}"
        finally:
            server.terminate()


def _ask(address: str) -> Any:
    give_up = time.monotonic() + _PATIENCE_S
    while True:
        try:
            with urllib.request.urlopen(address, timeout=30) as answer:  # noqa: S310  (the server that this test started)
                return json.loads(answer.read())
        except urllib.error.HTTPError:
            raise
        except OSError:
            if time.monotonic() > give_up:
                raise
            time.sleep(0.5)


def test_the_documented_command_shows_projects_and_their_reports(tmp_path: Path) -> None:
    workspace = DriftWorkspace(tmp_path / "evidently")
    rows = pd.DataFrame({"predicted": [100.0, 101.0, 102.0, 103.0], "actual": [101.0, 100.5, 103.0, 102.5]})
    for ticker in ("AAPL", "BRK-B"):
        workspace.report_predictions(ticker, rows, rows, session=pd.Timestamp("2024-03-05"))
    with _served(workspace.folder) as address:
        projects = {project["name"]: project["id"] for project in _ask(f"{address}/api/projects/")}
        assert sorted(projects) == ["AAPL", "BRK-B"]
        [snapshot] = _ask(f"{address}/api/projects/{projects['AAPL']}/snapshots")
        assert snapshot["name"] == "predictions 2024-03-05"
        shown = _ask(f"{address}/api/projects/{projects['AAPL']}/{snapshot['id']}/data")
        assert len(shown["widgets"]) > 1
