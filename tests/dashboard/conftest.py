"""A desk with real forecasts, built once: what views show, and what a real server serves to a real browser."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from dashboard.store import Store
from dashboard.views._base import Context
from stock_assets.settings import Settings
from tests.dashboard.browser import chromium
from tests.dashboard.servers import serving
from tests.once import made_once
from tests.project.sources import ROOT


@pytest.fixture(scope="session")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home in which two tickers were run on the bundled bars with the quickest models. Do not change it."""
    command = [sys.executable, "-m", "stock_assets", "run", "--source", "sample", "--fast"]
    chosen = ["--ticker", "AAPL", "--ticker", "MSFT", "--models", "random_walk,sarima,xgboost"]

    def make(home: Path) -> None:
        environment = {**os.environ, "STOCK_ASSETS_HOME": str(home), "STOCK_ASSETS_MLFLOW_URI": "off"}
        subprocess.run([*command, *chosen], cwd=ROOT, env=environment, check=True, capture_output=True, timeout=500)

    return made_once(tmp_path_factory, "desk", make)


@pytest.fixture
def context(desk: Path) -> Context:
    """What a page of the desk is given."""
    return Context(Store(desk), Settings(home=desk))


@pytest.fixture
def empty_context(tmp_path: Path) -> Context:
    """The same of a home in which nothing has been published."""
    return Context(Store(tmp_path), Settings(home=tmp_path))


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """One browser for a module's tests, each of which opens a tab of its own.

    Not longer: while it is open, Playwright keeps an event loop running in this thread, and a test without a browser
    that runs one of its own cannot.
    """
    with chromium() as started:
        yield started


@pytest.fixture(scope="session")
def served(desk: Path) -> Iterator[str]:
    """Address of a real dashboard process that shows the desk."""
    with serving(desk) as address:
        yield address


@pytest.fixture
def serve() -> Iterator[Callable[..., str]]:
    """Start further dashboard processes: `serve(home, *arguments)` gives an address; they end with the test."""
    from contextlib import ExitStack

    with ExitStack() as stack:
        yield lambda home, *arguments, **environment: stack.enter_context(serving(home, *arguments, **environment))
