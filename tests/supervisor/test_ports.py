"""A port that cannot be had is named before anything is started."""

import os
import socket
from collections.abc import Iterator

import psutil
import pytest

from stock_assets.supervisor.service import PortTaken, Service
from stock_assets.supervisor.starting import require_free
from tests.dashboard.servers import free_port


def _service(name: str, port: int | None) -> Service:
    return Service(name, ("true",), {}, lambda _: True, port)


@pytest.fixture
def taken() -> Iterator[int]:
    """A port that this process listens on, at all addresses."""
    with socket.socket() as server:
        server.bind(("0.0.0.0", 0))  # noqa: S104  (that is the case to be seen)
        server.listen()
        yield server.getsockname()[1]


def test_free_ports_and_services_without_one_are_accepted() -> None:
    require_free([_service("one", free_port()), _service("two", None), _service("three", None)])


def test_a_taken_port_is_named_with_its_process_and_the_cure(taken: int) -> None:
    with pytest.raises(PortTaken) as refused:
        require_free([_service("free", free_port()), _service("mlflow", taken)])
    owner = f"{psutil.Process().name()} (process {os.getpid()})"
    assert refused.value.problem == f"port {taken} for mlflow is taken by {owner}"
    assert refused.value.cure.endswith("choose another port: --mlflow-port …")


def test_every_taken_port_is_named_at_once(taken: int) -> None:
    with pytest.raises(PortTaken, match=r"for one is taken.*; port \d+ for two is wanted by one, too.*--one-port"):
        require_free([_service("one", taken), _service("two", taken)])


def test_a_port_whose_server_has_just_gone_is_free() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with socket.create_connection(("127.0.0.1", port)) as client:
            server.accept()[0].close()  # the server's end waits on after this
            client.recv(1)
    require_free([_service("one", port)])
