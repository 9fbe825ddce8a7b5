"""`prune`: what a home can do without; shown first, removed only with --yes."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

import typer

from stock_assets.cli.context import note, open_home, output, require_writable
from stock_assets.settings import KEPT_DAYS

_MIB = 1 << 20


def register(app: typer.Typer) -> None:
    """Add the command."""
    app.command()(prune)


def prune(
    days: Annotated[int, typer.Option(min=1, help="What is younger than so many days stays.")] = KEPT_DAYS,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it. Without this it is only shown.")] = False,
) -> None:
    """Show, and with --yes remove, what nobody needs: old runs, unused fits, old databases, leftovers.

    Bars and forecasts stay, and every forecast can still be traced and made again.
    """
    from rich.table import Table

    from stock_assets import pruning
    from stock_assets.instance import open_instance

    settings = open_home()
    if not settings.lake_dir.is_dir():
        note(f"there is nothing in {settings.home}")
        return
    require_writable(settings.home)
    with open_instance(settings) as instance:
        found = pruning.find(settings, instance, before=datetime.now(UTC) - timedelta(days=days))
        if yes:
            pruning.remove(settings, found)
    table = Table(
        "", "removed" if yes else "can go", "MiB", "what stays", box=None, pad_edge=False, padding=(0, 2, 0, 0)
    )
    for category in found:
        size = f"{category.size / _MIB:,.1f}" if category.size else ""
        table.add_row(category.name, f"{category.count:,}", size, category.rule)
    output().print(table)
    freed = sum(category.size for category in found) / _MIB
    note(f"{freed:,.1f} MiB freed" if yes else f"{freed:,.1f} MiB can be freed: `stock-assets prune --yes` does it")
