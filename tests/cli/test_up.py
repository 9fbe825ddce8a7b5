"""`stock-assets up` where it starts nothing."""

import socket
from pathlib import Path

import pytest

from stock_assets.supervisor.starting import only_one
from tests.cli.conftest import Say, Start


def test_a_taken_port_is_named_and_nothing_is_started(say: Say, home: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        said = say("up", "--dashboard-port", str(port), "--without", "mlflow,evidently")
    assert said.code == 1
    assert f"port {port} for dashboard is taken by " in said.err
    assert "nothing was started; " in said.err
    assert "--dashboard-port …" in said.err
    assert not (home / "logs").exists()


def test_a_second_one_on_the_same_home_is_refused(start: Start, home: Path) -> None:
    with only_one(home):
        said = start("up")
    assert said.returncode == 1
    assert f"error: {home} is kept up by process " in said.stderr
    assert "another home" in said.stderr


def test_only_heavy_screens_can_be_left_out(say: Say, home: Path) -> None:
    said = say("up", "--without", "mlflow,dagster")
    assert said.code == 2
    assert "--without dagster: expected some of mlflow, evidently" in said.err
    assert not home.exists()


def test_mlflow_elsewhere_is_said(say: Say, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCK_ASSETS_MLFLOW_URI", "off")
    with socket.create_server(("127.0.0.1", 0)) as server:  # so that it ends there
        said = say("up", "--dashboard-port", str(server.getsockname()[1]))
    assert "note: MLflow is not started: STOCK_ASSETS_MLFLOW_URI is off" in said.err
