"""Every port is looked at before anything is started: a taken one is named, with by what, and what to do."""

import socket
from collections.abc import Iterable

from stock_assets.supervisor.errors import PortTaken
from stock_assets.supervisor.probes import HOST
from stock_assets.supervisor.service import Service


def require_free(services: Iterable[Service]) -> None:
    """Refuse all services if one of them could not listen.

    Raises:
        PortTaken: names every port that is in use or wanted twice, and by what.
    """
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
