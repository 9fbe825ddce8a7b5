"""The services of the platform: Dagster's code server, UI and daemon, the dashboard, MLflow's and Evidently's UI."""

import shutil
import sys
from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import Path

from stock_assets.settings import Settings, environment
from stock_assets.supervisor import probes
from stock_assets.supervisor.probes import HOST
from stock_assets.supervisor.service import Service

OPTIONAL = ("mlflow", "evidently")
"""What may be left out: half a gigabyte and a third of one."""
_LOCATION = "stock-assets"
_PACKAGE = Path(__file__).resolve().parent.parent


@dataclass(frozen=True)
class Ports:
    """Where each screen listens, at 127.0.0.1."""

    dashboard: int = 5006
    dagster: int = 3000
    mlflow: int = 5000
    evidently: int = 8000


def mlflow_elsewhere(settings: Settings) -> str | None:
    """Why no MLflow screen is started here although it is wanted; None where one is."""
    if settings.mlflow == "off":
        return "MLflow is not started: STOCK_ASSETS_MLFLOW_URI is off, so nothing is tracked"
    if settings.mlflow.startswith(("http://", "https://")):
        return f"MLflow is not started: STOCK_ASSETS_MLFLOW_URI names a server, see {settings.mlflow_ui}"
    return None


def platform(settings: Settings, ports: Ports, run_dir: Path, without: Set[str] = frozenset()) -> list[Service]:
    """The services of a home but those (of `OPTIONAL`) left out. Writes the files they are configured by.

    `run_dir` is a private folder for files that live as long as the supervisor does.
    """
    if mlflow_elsewhere(settings) is not None:
        without = without | {"mlflow"}
    for folder in (settings.dagster_dir, settings.mlflow_dir, settings.evidently_dir):
        folder.mkdir(parents=True, exist_ok=True)
    own = _environment(settings, ports, without)
    found = [
        _screen("dashboard", ports.dashboard, own, "/liveness", "stock-assets dashboard --address", "--no-open"),
        *_dagster(settings, ports, run_dir, own),
    ]
    if "mlflow" not in without:
        found.append(_mlflow(settings, ports, own))
    if "evidently" not in without:
        where = ("--workspace", str(settings.evidently_dir))
        found.append(_screen("evidently", ports.evidently, own, "/api/version", "evidently ui --host", *where))
    return found


def _environment(settings: Settings, ports: Ports, without: Set[str]) -> dict[str, str]:
    """Every child's: the home, Dagster's instance in it, and where the others are, for links."""
    screens = {"dagster": ports.dagster, "mlflow": ports.mlflow, "evidently": ports.evidently}
    shown = {name: port for name, port in screens.items() if name not in without}
    forced = {
        "STOCK_ASSETS_HOME": str(settings.home),
        "STOCK_ASSETS_DAGSTER_DIR": str(settings.dagster_dir),
        "DAGSTER_HOME": str(settings.dagster_dir),
        "PYTHONUNBUFFERED": "1",  # what a process that is killed said last is in its log
    }
    if settings.csv_dir is not None:  # children work in another folder
        forced["STOCK_ASSETS_CSV_DIR"] = str(settings.csv_dir)
    links = {f"STOCK_ASSETS_{name.upper()}_UI_URL": _address(port) for name, port in shown.items()}
    asked = {"STOCK_ASSETS_DAGSTER_API_URL": _address(ports.dagster)}  # by the dashboard, whatever people open
    return environment(forced, unless_given=links | asked)


def _dagster(settings: Settings, ports: Ports, run_dir: Path, own: dict[str, str]) -> Iterator[Service]:
    """One code server, on a socket file in a private folder, for the UI and the daemon: each would load its own."""
    shutil.copyfile(_PACKAGE / "dagster.yaml", settings.dagster_dir / "dagster.yaml")
    socket_file, workspace = run_dir / "code.sock", run_dir / "workspace.yaml"
    workspace.write_text(
        f'load_from:\n  - grpc_server:\n      socket: "{socket_file}"\n      location_name: {_LOCATION}\n',
        encoding="utf-8",
    )
    module = ("--module-name", "stock_assets.definitions", "--location-name", _LOCATION, "--empty-working-directory")
    code_server = (_program("dagster"), "api", "grpc", "--socket", str(socket_file), *module)
    yield Service("code-server", code_server, own, probes.listens(socket_file))
    where = ("--workspace", str(workspace))
    yield _screen("dagster", ports.dagster, own, "/server_info", "dagster-webserver --host", *where)
    daemon = (_program("dagster-daemon"), "run", *where)
    yield Service("daemon", daemon, own, probes.dagster_heartbeat(ports.dagster))


def _mlflow(settings: Settings, ports: Ports, own: dict[str, str]) -> Service:
    """The store's address may hold a password: it goes through the environment, which others cannot see."""
    light = {"MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false", "MLFLOW_BACKEND_STORE_URI": settings.mlflow_uri}
    return _screen("mlflow", ports.mlflow, own | light, "/health", "mlflow server --host", "--workers", "1")


def _screen(name: str, port: int, own: dict[str, str], answers: str, start: str, *arguments: str) -> Service:
    """What people open: a program, started by words that the address it listens on follows, answering under a path."""
    program, *words = start.split()
    command = (_program(program), *words, HOST, "--port", str(port), *arguments)
    return Service(name, command, own, probes.http(port, answers), port, _address(port))


def _program(name: str) -> str:
    """A console script of this very environment."""
    return str(Path(sys.executable).with_name(name))


def _address(port: int) -> str:
    return f"http://{HOST}:{port}"
