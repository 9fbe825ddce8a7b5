"""`dagster dev` as a person starts it: webserver, daemon and code server of one home, on a free port."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from stock_assets.settings import PROJECT_ROOT
from tests.assets.conftest import hear_ctrl_c
from tests.dashboard.servers import free_port

_ASSETS = "{ assetNodes { id } }"


@dataclass(frozen=True)
class Ui:
    """The GraphQL API that Dagster's UI itself uses."""

    url: str
    log: Path

    def ask(self, query: str, **variables: Any) -> Any:
        """Answer to one query."""
        body = json.dumps({"query": query, "variables": variables}).encode()
        request = urllib.request.Request(f"{self.url}/graphql", body, {"Content-Type": "application/json"})  # noqa: S310 - http
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
            return json.load(answer)["data"]

    def is_up(self) -> bool:
        """Whether it answers with a loaded code location."""
        try:
            return bool(self.ask(_ASSETS)["assetNodes"])
        except OSError:
            return False


@contextmanager
def dagster_dev(home: Path, log: Path, **environment: str) -> Iterator[Ui]:
    """Run it in the clone for `home`, with the sample source, until the block ends."""
    port = free_port()
    more = {"STOCK_ASSETS_HOME": str(home), "STOCK_ASSETS_SOURCE": "sample"} | environment
    inherited = {name: value for name, value in os.environ.items() if name not in ("DAGSTER_HOME", *more)}
    command = [str(Path(sys.executable).with_name("dagster")), "dev", "--host", "127.0.0.1", "--port", str(port)]
    with log.open("w") as written:
        process = subprocess.Popen(
            command,
            cwd=PROJECT_ROOT,
            env=inherited | more,
            stdout=written,
            stderr=written,
            start_new_session=True,
            preexec_fn=hear_ctrl_c,
        )
        try:
            yield _when_up(Ui(f"http://127.0.0.1:{port}", log), process)
            os.killpg(process.pid, signal.SIGINT)
            process.wait(timeout=60)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)


def _when_up(ui: Ui, process: subprocess.Popen[bytes]) -> Ui:
    deadline = time.monotonic() + 180
    while not ui.is_up():
        assert process.poll() is None, ui.log.read_text()
        assert time.monotonic() < deadline, ui.log.read_text()
        time.sleep(0.5)
    return ui
