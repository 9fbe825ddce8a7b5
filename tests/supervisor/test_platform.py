"""`stock-assets up` as a person starts it: every screen answers, shows this home, and one Ctrl-C ends all of it."""

import json
import os
import signal
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psutil
import pytest

from stock_assets import health
from storage.lake import Lake
from storage.publisher import Publisher
from storage.universe import add_ticker
from tests.dashboard.servers import free_port
from tests.supervisor.conftest import hear_stops, wait_for

pytestmark = pytest.mark.slow
SCREENS = {"dashboard": "/", "dagster": "/server_info", "mlflow": "/health", "evidently": "/api/projects/"}
TICKS = """{
  sensorOrError(sensorSelector: {
    repositoryLocationName: "stock-assets", repositoryName: "__repository__", sensorName: "new_tickers"
  }) { ... on Sensor { sensorState { ticks(limit: 1) { skipReason } } } }
}"""
_PATIENCE_S = 400  # Evidently and MLflow alone take half a minute of a processor to load


@pytest.fixture
def up(tmp_path: Path) -> Iterator[tuple["subprocess.Popen[str]", dict[str, int]]]:
    """The command on a home whose automation has nothing to do, with the port of each screen."""
    home, ports = tmp_path / "home", {name: free_port() for name in SCREENS}
    add_ticker(Lake(home / "lake"), "AAPL", "sample", now=datetime.now(UTC))
    health.failed(Lake(home / "lake"), "AAPL", health.Failure("prices", "a test", "none"), "a run that is over")
    Publisher(home).publish()
    inherited = {
        name: value for name, value in os.environ.items() if not name.startswith(("STOCK_ASSETS_", "DAGSTER_"))
    }
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > "{tmp_path}/opened"\n', encoding="utf-8")
    browser.chmod(0o755)
    command = [str(Path(sys.executable).with_name("stock-assets")), "up", "--open"]
    command += [word for name, port in ports.items() for word in (f"--{name}-port", str(port))]
    with (tmp_path / "talk").open("w") as talk:
        process = subprocess.Popen(
            command,
            cwd=tmp_path,
            env=inherited | {"STOCK_ASSETS_HOME": str(home), "BROWSER": f"{browser} %s"},
            stdout=subprocess.PIPE,
            stderr=talk,
            text=True,
            preexec_fn=hear_stops,
        )
    yield process, ports
    process.kill()  # its guards end the rest
    process.wait()


def _get(port: int, path: str, body: str | None = None) -> str:
    data = body.encode() if body else None
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", data, {"Content-Type": "application/json"})
    with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310  (loopback)
        return str(answer.read().decode())


def test_every_screen_answers_and_one_ctrl_c_ends_all(
    up: tuple["subprocess.Popen[str]", dict[str, int]], tmp_path: Path
) -> None:
    process, ports = up
    talk = tmp_path / "talk"

    def answering() -> list[str]:
        text = talk.read_text(encoding="utf-8")
        assert process.poll() is None, text
        assert "started again" not in text, text
        return [line.split()[0] for line in text.splitlines() if " answers after " in line]

    expected = {*SCREENS, "daemon", "code-server"}
    wait_for(lambda: expected <= set(answering()), "every service", patience=_PATIENCE_S)
    opened = wait_for(lambda: (tmp_path / "opened").exists() and (tmp_path / "opened").read_text().strip(), "a browser")
    assert opened == f"http://127.0.0.1:{ports['dashboard']}"
    for name, path in SCREENS.items():
        assert _get(ports[name], path)
    # The daemon asks sensors, and these know the universe of this home, through the one code server that the UI has.
    asked = json.dumps({"query": TICKS})

    def told() -> list[str]:
        sensor = json.loads(_get(ports["dagster"], "/graphql", asked))["data"]["sensorOrError"]
        return [tick["skipReason"] for tick in sensor["sensorState"]["ticks"]]

    wait_for(lambda: told() == ["none of 1 tickers is new"], "a look of the sensor new_tickers", patience=_PATIENCE_S)
    started = psutil.Process(process.pid).children(recursive=True)
    assert len(started) >= 2 * len(expected)
    process.send_signal(signal.SIGINT)
    said, _ = process.communicate(timeout=_PATIENCE_S)
    assert process.returncode == 0, talk.read_text(encoding="utf-8")
    assert not [one for one in started if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
    for name, port in ports.items():
        [line] = [line for line in said.splitlines() if line.startswith(f"{name} ")]
        assert line.split()[1:] == ["answers", f"http://127.0.0.1:{port}", f"home/logs/{name}.log"]
