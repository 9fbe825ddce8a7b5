"""The guard of conftest.py: tests run offline."""

import socket

import pytest


@pytest.mark.parametrize("name", ["connect", "connect_ex"])
def test_a_connection_that_leaves_this_machine_fails_the_test(name: str) -> None:
    with socket.socket() as plug, pytest.raises(AssertionError, match="tests run offline"):
        getattr(plug, name)(("192.0.2.1", 80))  # an address reserved for documentation


def test_a_host_name_counts_as_leaving() -> None:
    with socket.socket() as plug, pytest.raises(AssertionError, match="example"):
        plug.connect(("example.invalid", 80))


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_this_machine_may_be_reached(host: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server, socket.create_connection((host, server.getsockname()[1])):
        pass
