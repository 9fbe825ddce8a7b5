"""What every test shares. Tests are run offline: a connection that leaves this machine is a failure.

Runs work in their own process: only tests of the workers start some.
"""

import ipaddress
import socket
from collections.abc import Iterator
from typing import Any

import pandas as pd
import pytest

from stock_assets.forecasting.features import compute_features
from stock_assets.forecasting.history import build_history
from tests.quick_stores import keep_engines_and_migrations
from tests.synthetic import garch_bars
from tests.tracing import tracing

RUN_WHOLE_LINEAGES = {"finished", "plain_desk", "tracked"}  # fixtures


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark what needs a desk that has been run as slow."""
    for item in items:
        if RUN_WHOLE_LINEAGES.intersection(getattr(item, "fixturenames", ())):
            item.add_marker(pytest.mark.slow)


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_protocol(item: pytest.Item) -> None:
    """Trace coverage where it counts."""
    if (of_session := tracing(item.config)) is not None:
        of_session.follow(item.nodeid)


def _stays_here(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


@pytest.fixture(scope="session", autouse=True)
def offline() -> Iterator[None]:
    """No test opens a connection to anything but this machine, and only tests of the tracking wait for MLflow."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("STOCK_ASSETS_MLFLOW_URI", "off")
        patch.setenv("STOCK_ASSETS_WORKERS", "1")  # tests run beside each other: each is one process, no pool of them
        keep_engines_and_migrations(patch)
        for name in ("connect", "connect_ex"):
            patch.setattr(socket.socket, name, _guarded(getattr(socket.socket, name)))
        yield


def _guarded(real: Any) -> Any:
    def connect(self: socket.socket, address: Any) -> Any:
        if self.family in (socket.AF_INET, socket.AF_INET6) and not _stays_here(address[0]):
            raise AssertionError(f"a test tried to reach {address}: tests run offline")
        return real(self, address)

    return connect


@pytest.fixture(scope="session")
def garch_prices() -> pd.DataFrame:
    """700 sessions of a GARCH random walk, table `prices`. Copy before changing."""
    return garch_bars("GARCH", 700, seed=7)


@pytest.fixture(scope="session")
def garch_history(garch_prices: pd.DataFrame) -> pd.DataFrame:
    """`garch_prices` with its features, as the models see it. Copy before changing."""
    return build_history(garch_prices, compute_features(garch_prices))
