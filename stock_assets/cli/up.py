"""`up`: all screens and the daemon of one home, until Ctrl-C."""

import sys
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Annotated

import typer

from stock_assets.cli.context import note, require_writable
from stock_assets.settings import demo_home, has_display, home_is_given, load_settings


def up(
    dashboard_port: Annotated[int, typer.Option(help="Port of the dashboard.", min=1, max=65535)] = 5006,
    dagster_port: Annotated[int, typer.Option(help="Port of Dagster's UI.", min=1, max=65535)] = 3000,
    mlflow_port: Annotated[int, typer.Option(help="Port of MLflow's UI.", min=1, max=65535)] = 5000,
    evidently_port: Annotated[int, typer.Option(help="Port of Evidently's UI.", min=1, max=65535)] = 8000,
    without: Annotated[str, typer.Option(help="Leave out `mlflow`, `evidently`, or both: `mlflow,evidently`.")] = "",
    is_opened: Annotated[
        bool | None,
        typer.Option(
            "--open/--no-open",
            help="Open the dashboard in a browser once everything answers. Default: at a terminal with a display.",
            show_default=False,
        ),
    ] = None,
) -> None:
    """Start all screens and the automation of this home, on this machine alone, until Ctrl-C.

    Starts the dashboard, Dagster's UI and daemon, MLflow's UI and Evidently's UI, waits until each answers, and prints
    their addresses. What dies is started again, up to five times within ten minutes. Ctrl-C stops everything; a second
    one kills it at once. Logs are in `<home>/logs`.

    The home is STOCK_ASSETS_HOME; without it the usual one, or the demo's while the usual one holds no ticker.
    """
    from stock_assets.cli.up_screen import Screen
    from stock_assets.supervisor.loop import Supervisor, stops_counted
    from stock_assets.supervisor.services import Ports, mlflow_elsewhere, platform
    from stock_assets.supervisor.starting import choose_home, only_one, require_free

    left_out = _left_out(without)
    usual = load_settings()
    choice = choose_home(usual.home, is_given=home_is_given(), demo=demo_home())
    note(f"home: {choice.home} ({choice.why})")
    require_writable(choice.home)
    settings = replace(usual, home=choice.home)
    if "mlflow" not in left_out and (reason := mlflow_elsewhere(settings)) is not None:
        note(f"note: {reason}")
    ports = Ports(dashboard_port, dagster_port, mlflow_port, evidently_port)
    if is_opened is None:
        is_opened = sys.stdout.isatty() and has_display()
    with stops_counted() as stops, only_one(settings.home), TemporaryDirectory(prefix="stock-assets-") as run_dir:
        services = platform(settings, ports, Path(run_dir), left_out)
        require_free(services)
        with Screen(services, settings.home, opens="dashboard" if is_opened else "") as screen:
            Supervisor(services, settings.home, screen.tell).run(stops)


def _left_out(names: str) -> frozenset[str]:
    from stock_assets.supervisor.services import OPTIONAL

    chosen = frozenset(filter(None, (name.strip() for name in names.split(","))))
    if unknown := sorted(chosen - set(OPTIONAL)):
        raise typer.BadParameter(f"--without {', '.join(unknown)}: expected some of {', '.join(OPTIONAL)}")
    return chosen
