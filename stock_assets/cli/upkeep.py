"""`publish` and `migrate`: what keeps a home in order."""

from typing import TYPE_CHECKING

import typer

from stock_assets.cli.context import note, open_home, require_writable
from stock_assets.errors import StockAssetsError
from stock_assets.settings import Settings

if TYPE_CHECKING:
    from storage.publisher import Publication


class FilesDamaged(StockAssetsError):
    """Rows of the lake cannot be read, and are missing in what was published."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(publish)
    app.command()(migrate)


def publish() -> None:
    """Rebuild the published database from the lake alone, to the same content. Damaged files are named: exit code 1."""
    from storage.publisher import Publisher

    settings = open_home()
    require_writable(settings.home)
    publication = Publisher(settings.home).rebuild()
    typer.echo(f"generation {publication.generation}: {publication.path}")
    _require_whole(publication)


def migrate() -> None:
    """Move the lake forward to the schema version of this program, then publish it."""
    from storage import migrate as migrations
    from storage.publisher import Publisher
    from storage.tables import SCHEMA_VERSION

    settings = open_home()
    require_writable(settings.home)
    taken = migrations.migrate(settings.lake_dir)
    _forget_ticker_partitions(settings)
    for step in taken:
        note(f"to version {step.to}: {step.what}")
    typer.echo(f"the lake is at schema version {SCHEMA_VERSION}" + ("" if taken else ": nothing to do"))
    if taken:
        _require_whole(Publisher(settings.home).rebuild())


def _require_whole(publication: "Publication") -> None:
    for line in publication.warnings:
        note(f"warning: {line}")
    if publication.damaged:
        n = len(publication.damaged)
        raise FilesDamaged(
            f"{n} damaged file{'s' if n > 1 else ''} of the lake could not be published",
            cure="the lines above name them, and what to do",
        )


def _forget_ticker_partitions(settings: Settings) -> None:
    """Runs were about single tickers once, each a partition of Dagster's; now they are about markets."""
    if not settings.dagster_dir.is_dir():
        return
    from stock_assets.instance import open_instance

    with open_instance(settings) as instance:
        for ticker in instance.get_dynamic_partitions("ticker"):
            instance.delete_dynamic_partition("ticker", ticker)
