"""What is settled before anything is started: the home that is shown, that nobody else keeps it, and free ports."""

import os
import socket
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from stock_assets.supervisor.probes import HOST
from stock_assets.supervisor.service import AlreadyUp, PortTaken, Service
from storage import locks
from storage.layout import scan
from storage.tables import TABLES

_PATIENCE_S = 1


@dataclass(frozen=True)
class Choice:
    """A home, and the sentence that says why this one."""

    home: Path
    why: str


def choose_home(home: Path, *, is_given: bool, demo: Path | None) -> Choice:
    """The first home with something to show; the usual one if there is none. A named one is taken as it is.

    `demo` is where `make demo` keeps its state; None where there is no clone.
    """
    if is_given:
        return Choice(home, "STOCK_ASSETS_HOME names it")
    if count := _tickers(home):
        return Choice(home, f"the usual one, with {count} ticker{'s' if count > 1 else ''}")
    if demo is not None and _tickers(demo):
        return Choice(demo, f"the demo's, since {home} holds no ticker yet; STOCK_ASSETS_HOME names another")
    cure = "`stock-assets run --ticker AAPL` fills it" + (
        "" if demo is None else ", or `make demo` makes one to look at"
    )
    return Choice(home, f"it holds no ticker yet: {cure}")


def _tickers(home: Path) -> int:
    """How many tickers its lake has: each is one file."""
    lake = home / "lake"
    return len(scan(lake, TABLES["tickers"])) if lake.is_dir() else 0


@contextmanager
def only_one(home: Path) -> Iterator[None]:
    """Keep every other supervisor away from the home; `AlreadyUp` names the process that keeps it."""
    lock = home / ".locks" / "up.lock"
    with locks.exclusive(lock, patience=_PATIENCE_S) as held:
        if not held:
            raise AlreadyUp(
                f"{home} is kept up by process {lock.read_text(encoding='utf-8') or 'unknown'} already",
                cure="use its screens, stop it with Ctrl-C in its terminal, or name another home: STOCK_ASSETS_HOME=…",
            )
        lock.write_text(str(os.getpid()), encoding="utf-8")
        yield


def require_free(services: Iterable[Service]) -> None:
    """Refuse all services if one could not listen; `PortTaken` names every port in use or wanted twice, and by what."""
    problems, wanted = [], dict[int, str]()
    for service in services:
        if service.port is None:
            continue
        if service.port in wanted:
            problems.append((service, f"is wanted by {wanted[service.port]}, too"))
        elif (reason := _why_not(service.port)) is not None:
            problems.append((service, reason))
        wanted.setdefault(service.port, service.name)
    if problems:
        raise PortTaken(
            "; ".join(f"port {service.port} for {service.name} {reason}" for service, reason in problems),
            cure="nothing was started; end that process, or choose another port: "
            + " ".join(f"--{service.name}-port …" for service, _ in problems),
        )


def _why_not(port: int) -> str | None:
    """Why nobody can listen on the port now; None where one can."""
    with socket.socket() as trial:
        # As the services do: connections of a server that has just ended do not count.
        trial.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            trial.bind((HOST, port))
        except PermissionError:
            return "may not be opened by this user (ports below 1024 belong to the system)"
        except OSError:
            return f"is taken by {_owner(port)}"
    with socket.socket() as client:  # where a listener on all addresses does not keep others from binding one of them
        client.settimeout(1)
        return f"is taken by {_owner(port)}" if client.connect_ex((HOST, port)) == 0 else None


def _owner(port: int) -> str:
    import psutil

    try:
        pids = {
            found.pid
            for found in psutil.net_connections(kind="tcp")
            if found.status == psutil.CONN_LISTEN and found.laddr.port == port
        }
        names = [f"{psutil.Process(pid).name()} (process {pid})" for pid in sorted(pids - {None})]
    except (psutil.AccessDenied, psutil.NoSuchProcess):
        names = []
    return " and ".join(names) or "a process that this user may not see"
