"""Real dashboard processes on free ports."""

import os
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TextIO

from tests.project.sources import ROOT

_PATIENCE_SECONDS = 120


@dataclass(frozen=True)
class Served:
    """A dashboard process."""

    address: str
    process: "subprocess.Popen[bytes]"
    log: TextIO

    def errors(self) -> list[str]:
        """What the server said went wrong so far."""
        self.log.seek(0)
        return re.findall(r"^(?:ERROR|Traceback).*", self.log.read(), re.MULTILINE)


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(home: Path, *arguments: str, **environment: str) -> Iterator[str]:
    """A dashboard process of a home; gives its address when it answers, ends it afterwards."""
    with serving_process(home, *arguments, **environment) as served:
        yield served.address


@contextmanager
def serving_process(home: Path, *arguments: str, **environment: str) -> Iterator[Served]:
    """The same, with the process and what it says."""
    address = f"http://127.0.0.1:{(port := free_port())}"
    with tempfile.TemporaryFile("a+") as log:  # a pipe that nobody reads would stop the server once it is full
        process = subprocess.Popen(
            [sys.executable, "-m", "stock_assets", "dashboard", "--port", str(port), *arguments],
            cwd=ROOT,
            env={**os.environ, "STOCK_ASSETS_HOME": str(home), **environment},
            stdout=log,
            stderr=log,
        )
        try:
            _wait(process, log, f"{address}/liveness")
            yield Served(address, process, log)
        finally:
            process.terminate()
            process.wait(timeout=30)


def _wait(process: "subprocess.Popen[bytes]", log: TextIO, address: str) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            log.seek(0)
            raise AssertionError(f"the dashboard ended at once: {log.read()}")
        try:
            urllib.request.urlopen(address, timeout=5).close()  # noqa: S310 (our own address)
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError(f"{address} did not answer")
