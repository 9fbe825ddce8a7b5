"""`doctor`: what is missing on this machine and in this home, and how to get it."""

from typing import Annotated

import typer

from stock_assets.cli import context
from stock_assets.cli.layout import grid
from stock_assets.errors import StockAssetsError

_STYLES = {"ok": "green", "warn": "yellow", "missing": "bold red"}


class SomethingMissing(StockAssetsError):
    """The doctor found something without which commands fail."""


def doctor(
    network: Annotated[bool, typer.Option("--network", help="Also see whether Yahoo Finance can be reached.")] = False,
) -> None:
    """Say what is missing on this machine and in this home, and how to get it."""
    from rich.markup import escape

    from stock_assets.cli.checkup import check_machine
    from stock_assets.cli.checkup_home import check_home

    settings = context.open_home()
    results = list(check_machine(settings.home, network=network))
    sound = all(result.state != "missing" for result in results)
    results += check_home(settings, packages_are_sound=sound)
    table = grid("", "", "found", "cure")
    for result in results:
        state = f"[{_STYLES[result.state]}]{result.state}[/]"
        table.add_row(result.name, state, escape(result.found), escape(result.cure))
    context.output().print(table)
    missing = [result.name for result in results if result.state == "missing"]
    if missing:
        raise SomethingMissing(f"missing: {', '.join(missing)}", cure="follow the last column of the table")
