"""`publish` and `migrate`: what keeps a home in order."""

import typer

from stock_assets.cli.context import note, open_home, require_writable
from stock_assets.settings import Settings


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(publish)
    app.command()(migrate)


def publish() -> None:
    """Rebuild the published database from the lake alone, to the same content. Damaged files are named: exit code 1."""
    from storage.parquet import CURE_OF_DAMAGE
    from storage.publisher import Publisher

    settings = open_home()
    require_writable(settings.home)
    publication = Publisher(settings.home).rebuild()
    for log in publication.moved_aside:
        note(f"note: somebody had unfinished writes in warehouse.duckdb; they are kept in {log}")
    typer.echo(f"generation {publication.generation}: {publication.path}")
    for file in publication.damaged:
        note(f"error: {file} is damaged and was not published — {CURE_OF_DAMAGE}")
    if publication.damaged:
        raise typer.Exit(1)


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
    if taken:
        Publisher(settings.home).rebuild()
    typer.echo(f"the lake is at schema version {SCHEMA_VERSION}" + ("" if taken else ": nothing to do"))


def _forget_ticker_partitions(settings: Settings) -> None:
    """Runs were about single tickers once, each a partition of Dagster's; now they are about markets."""
    if not settings.dagster_dir.is_dir():
        return
    from stock_assets.instance import open_instance

    with open_instance(settings) as instance:
        for ticker in instance.get_dynamic_partitions("ticker"):
            instance.delete_dynamic_partition("ticker", ticker)
