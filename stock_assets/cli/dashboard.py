"""`dashboard`: the pages people look at, from a home or from one published file."""

from pathlib import Path
from typing import Annotated

import typer

from stock_assets.cli.context import note
from stock_assets.settings import load_settings


def dashboard(
    database: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Show one published database file, read-only, instead of the home. It may be replaced."
        ),
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Where to listen.")] = 5006,
    address: Annotated[
        str, typer.Option(help="Where to listen. Any but this machine's own needs STOCK_ASSETS_DASHBOARD_PASSWORD.")
    ] = "127.0.0.1",
    origin: Annotated[
        list[str] | None,
        typer.Option(metavar="HOST", help="Host under which a proxy shows it, for example desk.example.org."),
    ] = None,
    show: Annotated[bool, typer.Option("--open/--no-open", help="Open it in the browser.")] = False,
) -> None:
    """Serve the dashboard until Ctrl-C. It only reads what is published, and never disturbs a run."""
    from dashboard.app import require_password, serve

    settings = load_settings()
    require_password(address, settings)
    place = database.resolve() if database else settings.home
    note(f"{'file' if database else 'home'}: {place}")
    note(f"dashboard: http://{address}:{port} — until Ctrl-C")
    if show:
        typer.launch(f"http://{address}:{port}")
    serve(place, settings, port=port, address=address, origins=tuple(origin or ()))
