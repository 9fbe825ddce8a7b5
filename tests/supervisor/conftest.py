"""A supervisor in a process of its own, with small real services; what it tells, and what is left of it."""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import psutil
import pytest

from tests.dashboard.servers import free_port
from tests.project.sources import ROOT

SERVER = Path(__file__).with_name("server.py")
PATIENCE_S = 60
Start = Callable[..., "Running"]


def hear_stops() -> None:
    """A shell starts what runs in the background deaf to Ctrl-C; a person at a terminal does not."""
    for number in (signal.SIGINT, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)


def wait_for(condition: Callable[[], Any], what: str, *, patience: float = PATIENCE_S) -> Any:
    """The first true answer of `condition`."""
    give_up = time.monotonic() + patience
    while not (found := condition()):
        assert time.monotonic() < give_up, f"waited in vain for {what}"
        time.sleep(0.05)
    return found


@dataclass
class Running:
    """A running supervisor of small services.

    Attributes:
        process: its own.
        folder: its home; named in the command line of everything it starts.
    """

    process: "subprocess.Popen[str]"
    folder: Path

    def news(self) -> list[dict[str, Any]]:
        """Everything told so far."""
        lines = (self.folder / "told").read_text(encoding="utf-8").splitlines(keepends=True)
        return [json.loads(line) for line in lines if line.endswith("\n")]

    def await_news(self, kind: str, service: str = "", times: int = 1) -> dict[str, Any]:
        """The given one of all news of a kind about a service, as soon as it is told."""

        def found() -> list[dict[str, Any]]:
            told = [one for one in self.news() if one["kind"] == kind and one["service"] == service]
            return told if len(told) >= times else []

        news: dict[str, Any] = wait_for(found, f"{kind} {service}")[times - 1]
        return news

    def of(self, service: str) -> int:
        """Process id of a service itself, not of its guard."""
        return next(pid for pid, line in self.left().items() if f"/{service}.mark" in line and "guard.py" not in line)

    def left(self) -> dict[int, str]:
        """Living processes that were started for this supervisor, by id, guards and grandchildren included."""
        found = {}
        for process in psutil.process_iter(["cmdline", "status"]):
            line = " ".join(process.info["cmdline"] or [])
            is_dead = process.info["status"] == psutil.STATUS_ZOMBIE
            if f"{self.folder}/" in line and not is_dead and process.pid != self.process.pid:
                found[process.pid] = line
        return found

    def stop(self, number: signal.Signals = signal.SIGINT) -> int:
        """Signal the supervisor alone, as a terminal signals it and none of the sessions it made; its exit code."""
        self.process.send_signal(number)
        return self.process.wait(PATIENCE_S)


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Start a supervisor: services by name with their habits, and limits by name."""
    running = []

    def begin(services: dict[str, list[str]], **limits: float) -> Running:
        config = {"folder": str(tmp_path), "limits": {"look": 0.05, "first_wait": 0.05} | limits, "services": []}
        for name, habits in services.items():
            port = free_port()
            command = [sys.executable, str(SERVER), str(tmp_path / f"{name}.mark"), str(port), *habits]
            config["services"].append({"name": name, "port": port, "command": command})
        (tmp_path / "told").touch()
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.supervisor.driver", json.dumps(config)],
            cwd=ROOT,
            text=True,
            preexec_fn=hear_stops,
        )
        running.append(Running(process, tmp_path))
        return running[-1]

    yield begin
    for one in running:
        one.process.kill()
        one.process.wait()
        for pid in one.left():
            os.kill(pid, signal.SIGKILL)
