"""A real PostgreSQL server on a free port of this machine, and a home whose Dagster keeps its runs there."""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

import psycopg2
import pytest

from stock_assets.settings import Settings
from tests.dashboard.servers import free_port
from tests.deploy.programs import require

PASSWORD = "p/s3cret"  # noqa: S105 - of a server that lives as long as the test
_QUOTED = "p%2Fs3cret"
_BINARIES = ("usr/lib/postgresql/*/bin/postgres", "usr/local/opt/postgresql*/bin/postgres")


@dataclass(frozen=True)
class Server:
    """A running PostgreSQL server."""

    port: int

    def address(self, database: str) -> str:
        """As `STOCK_ASSETS_DAGSTER_POSTGRES_URL` wants it."""
        return f"postgresql://dagster:{_QUOTED}@127.0.0.1:{self.port}/{database}"

    def new_database(self) -> str:
        """Address of an empty database."""
        name = f"dagster_{uuid4().hex[:8]}"
        connection = psycopg2.connect(self.address("postgres"))
        connection.autocommit = True  # CREATE DATABASE is refused in a transaction
        connection.cursor().execute(f"CREATE DATABASE {name}")
        connection.close()
        return self.address(name)


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Server]:
    """Started for all tests, with a password, as a user that is not root: PostgreSQL refuses root."""
    binaries = Path(require("postgres", package="postgresql", where=_BINARIES)).parent
    user = "postgres" if os.geteuid() == 0 else None
    folder = Path(tempfile.mkdtemp(prefix="pg-"))  # of a short path, for the socket, that another user may enter
    (folder / "password").write_text(PASSWORD)
    if user:
        for path in (folder, folder / "password"):
            shutil.chown(path, user)
    data, port = folder / "data", free_port()
    make = [binaries / "initdb", "-D", data, "-U", "dagster", "--auth=scram-sha-256", f"--pwfile={folder / 'password'}"]
    subprocess.run(make, check=True, capture_output=True, user=user, cwd=folder)
    serve = [binaries / "postgres", "-D", data, "-p", str(port), "-k", folder, "-c", "listen_addresses=127.0.0.1"]
    with (folder / "log").open("w") as log:
        process = subprocess.Popen([*serve, "-c", "fsync=off"], stdout=log, stderr=log, user=user, cwd=folder)
    try:
        server = Server(port)
        _wait_for(server, process, folder / "log")
        yield server
    finally:
        process.send_signal(signal.SIGINT)  # PostgreSQL's fast shutdown
        process.wait(timeout=60)
        shutil.rmtree(folder)


def _wait_for(server: Server, process: "subprocess.Popen[bytes]", log: Path) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            psycopg2.connect(server.address("postgres")).close()
            return
        except psycopg2.OperationalError:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.2)


@pytest.fixture
def on_postgres(postgres_server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """An empty home, named in the environment, with an empty database as Dagster's store."""
    settings = Settings(home=tmp_path / "home", source="sample", dagster_postgres=postgres_server.new_database())
    monkeypatch.setenv("STOCK_ASSETS_HOME", str(settings.home))
    monkeypatch.setenv("STOCK_ASSETS_SOURCE", settings.source)
    monkeypatch.setenv("STOCK_ASSETS_DAGSTER_POSTGRES_URL", settings.dagster_postgres)
    return settings
