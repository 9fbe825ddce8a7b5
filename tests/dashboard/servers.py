"""Real dashboard processes on free ports."""

import os
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.project.sources import ROOT

_PATIENCE_SECONDS = 120


def free_port() -> int:
    """A port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@contextmanager
def serving(home: Path, *arguments: str, **environment: str) -> Iterator[str]:
    """A dashboard process of a home; gives its address when it answers, ends it afterwards."""
    with serving_process(home, *arguments, **environment) as (address, _):
        yield address


@contextmanager
def serving_process(home: Path, *arguments: str, **environment: str) -> Iterator[tuple[str, "subprocess.Popen[str]"]]:
    """The same, with the process."""
    address = f"http://127.0.0.1:{(port := free_port())}"
    process = subprocess.Popen(
        [sys.executable, "-m", "stock_assets", "dashboard", "--port", str(port), *arguments],
        cwd=ROOT,
        env={**os.environ, "STOCK_ASSETS_HOME": str(home), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        _wait(process, f"{address}/liveness")
        yield address, process
    finally:
        if process.poll() is None:
            process.terminate()
            process.communicate(timeout=30)


def _wait(process: "subprocess.Popen[str]", address: str) -> None:
    until = time.monotonic() + _PATIENCE_SECONDS
    while time.monotonic() < until:
        if process.poll() is not None:
            raise AssertionError(f"the dashboard ended at once: {process.stdout.read() if process.stdout else ''}")
        try:
            urllib.request.urlopen(address, timeout=5).close()  # noqa: S310 (our own address)
        except OSError:
            time.sleep(0.2)
        else:
            return
    raise AssertionError(f"{address} did not answer")
