"""The files of docs/deploy are what the programs that read them accept, and keep what they promise."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from tests.deploy.programs import require
from tests.deploy.services import CODE, UNITS, entries
from tests.project.sources import ROOT

DEPLOY = ROOT / "docs" / "deploy"
COMPOSE = DEPLOY / "compose.yaml"
PASSWORDS = {"POSTGRES_PASSWORD": "of-postgres", "STOCK_ASSETS_DASHBOARD_PASSWORD": "of-the-dashboard"}
SERVICES = sorted(path.name for path in UNITS.glob("*.service"))
each_unit = pytest.mark.parametrize("unit", SERVICES)


def _as_installed(folder: Path) -> list[Path]:
    """The units with the programs of this installation: what they start must exist to be verified."""
    programs = str(Path(sys.executable).parent)
    for path in UNITS.iterdir():
        text = path.read_text(encoding="utf-8").replace(f"{CODE}/.venv/bin", programs)
        (folder / path.name).write_text(text, encoding="utf-8")
    return sorted(folder.iterdir())


def test_systemd_finds_nothing_wrong_with_the_units(tmp_path: Path) -> None:
    analyze = require("systemd-analyze", package="systemd")
    done = subprocess.run(
        [analyze, "verify", "--man=no", *_as_installed(tmp_path)], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")


@each_unit
def test_a_unit_is_confined_to_the_home_and_loopback(unit: str, tmp_path: Path) -> None:
    analyze = require("systemd-analyze", package="systemd")
    _as_installed(tmp_path)
    confined = [analyze, "security", "--offline=true", "--threshold=40", "--no-pager", tmp_path / unit]
    done = subprocess.run(confined, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout
    assert entries(unit, "User") == ["stock-assets"]
    assert entries(unit, "KillMode") == ["control-group"]
    assert entries(unit, "Restart") == ["on-failure"]
    (start,) = entries(unit, "ExecStart")
    assert re.findall(r"--(?:host|address) (\S+)", start) == ([] if "daemon" in unit else ["127.0.0.1"])


@each_unit
def test_a_unit_holds_no_secret(unit: str) -> None:
    assert not [line for line in entries(unit, "Environment") if re.search("PASSWORD|SECRET|://[^/]*@", line)]


def _compose() -> list[str]:
    """Compose as a plug-in of docker where it is, else the older program that Debian has."""
    plugin = ["docker", "compose"]
    try:
        if subprocess.run([*plugin, "version"], capture_output=True, check=False).returncode == 0:
            return plugin
    except FileNotFoundError:  # no docker at all
        pass
    return [require("docker-compose", package="docker-compose")]


def _config(folder: Path, **environment: str) -> "subprocess.CompletedProcess[str]":
    no_passwords = folder / "none.env"
    no_passwords.touch()
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("STOCK_ASSETS_", "POSTGRES_"))}
    command = [*_compose(), "--env-file", str(no_passwords), "--file", str(COMPOSE), "config"]
    return subprocess.run(command, env=kept | environment, capture_output=True, text=True, check=False)


def test_compose_accepts_its_file_and_publishes_on_loopback_only(tmp_path: Path) -> None:
    done = _config(tmp_path, **PASSWORDS)
    assert done.returncode == 0, done.stderr
    services = yaml.safe_load(done.stdout)["services"]
    assert {"postgres", "code-server", "webserver", "daemon", "dashboard", "mlflow"} <= services.keys()
    for name, service in services.items():
        for port in service.get("ports", []):
            host = port["host_ip"] if isinstance(port, dict) else port.rsplit(":", 2)[0]
            assert host == "127.0.0.1", name
        assert "healthcheck" in service or name == "evidently"
        assert service.get("read_only") is True or name == "postgres"


@pytest.mark.parametrize("missing", PASSWORDS)
def test_compose_starts_nothing_without_a_password(missing: str, tmp_path: Path) -> None:
    done = _config(tmp_path, **{name: value for name, value in PASSWORDS.items() if name != missing})
    assert done.returncode != 0
    assert "put one in docs/deploy/.env" in done.stderr


def test_every_folder_and_file_of_the_image_exists_and_is_let_through() -> None:
    dockerfile = (DEPLOY / "Dockerfile").read_text(encoding="utf-8")
    copied = [
        line.split()[1:-1] for line in dockerfile.splitlines() if line.startswith("COPY ") and "--from" not in line
    ]
    ignored = (DEPLOY / "Dockerfile.dockerignore").read_text(encoding="utf-8").splitlines()
    let_through = [line[1:] for line in ignored if line.startswith("!")]
    for source in (name for names in copied for name in names):
        assert (ROOT / source).exists()
        assert any(source == name or source.startswith(f"{name}/") for name in let_through), source
    assert "USER stock-assets" in dockerfile


def test_no_file_names_a_registrys_host() -> None:
    for path in (path for path in DEPLOY.rglob("*") if path.is_file()):
        hosts = re.findall(r"https?://([\w.-]+)", path.read_text(encoding="utf-8"))
        assert not [host for host in hosts if host not in ("127.0.0.1", "webserver")], path.name
