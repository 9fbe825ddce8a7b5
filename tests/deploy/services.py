"""The services of docs/deploy, started here by the very command lines of their systemd units."""

import os
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from tests.project.sources import ROOT

UNITS = ROOT / "docs" / "deploy" / "systemd"
CODE = "/opt/stock-assets"
HOME = "/var/lib/stock-assets"


def entries(unit: str, key: str) -> list[str]:
    """Values of a key in a unit, in order."""
    lines = (UNITS / unit).read_text(encoding="utf-8").splitlines()
    return [line.split("=", 1)[1].strip() for line in lines if line.startswith(f"{key}=")]


def environment(unit: str, home: Path) -> dict[str, str]:
    """A unit's own environment with our places, and of ours only the way to programs."""
    own = [word for line in entries(unit, "Environment") for word in shlex.split(line)]
    placed = dict(word.replace(HOME, str(home)).replace(CODE, str(ROOT)).split("=", 1) for word in own)
    kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
    cache = {name: str(home.with_name("cache")) for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "HOME")}
    return kept | placed | cache


def command(unit: str, home: Path, new: Mapping[str, str], variables: Mapping[str, str]) -> list[str]:
    """What a unit starts, with this clone, a home and words of ours in place of the server's."""
    (line,) = entries(unit, "ExecStart")
    words = [new.get(word, word) for word in shlex.split(line)]
    # As systemd does: a variable that stands alone becomes words, none if it is empty or missing.
    words = [part for word in words for part in (variables.get(word[1:], "").split() if word[0] == "$" else [word])]
    programs = str(Path(sys.executable).parent)
    return [
        word.replace(f"{CODE}/.venv/bin", programs).replace(CODE, str(ROOT)).replace(HOME, str(home)) for word in words
    ]


@contextmanager
def own_process(words: list[str], variables: Mapping[str, str], log: Path) -> Iterator[None]:
    """A service, ended with everything it started."""
    with log.open("w") as said:
        process = subprocess.Popen(
            words, env=dict(variables), stdout=said, stderr=said, cwd=ROOT, start_new_session=True
        )
    try:
        yield
    finally:
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
