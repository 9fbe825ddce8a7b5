"""What keeps a home in order: `publish`, `migrate`, `backup`, `restore`, `prune`."""

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stock_assets.cli.context import note, open_home, output, require_writable
from stock_assets.cli.layout import grid
from stock_assets.errors import StockAssetsError
from stock_assets.settings import KEPT_DAYS, Settings

if TYPE_CHECKING:
    from storage.publisher import Publication


_MIB = 1 << 20


class FilesDamaged(StockAssetsError):
    """Rows of the lake cannot be read, and are missing in what was published."""


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
    from storage import migrations
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
        problem = f"{n} damaged file{'s' if n > 1 else ''} of the lake could not be published"
        raise FilesDamaged(problem, cure="the lines above name them, and what to do")


def _forget_ticker_partitions(settings: Settings) -> None:
    """Runs were about single tickers once, each a partition of Dagster's; now they are about markets."""
    if not settings.dagster_dir.is_dir():
        return
    from stock_assets.instance import open_instance

    with open_instance(settings) as instance:
        for ticker in instance.get_dynamic_partitions("ticker"):
            instance.delete_dynamic_partition("ticker", ticker)


def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="Where to, for example desk.tar.gz. Must not exist.")],
) -> None:
    """Save the whole home in one file. Runs may be at work in it meanwhile."""
    from storage.backup import back_up

    settings = open_home()
    content = back_up(settings.home, file.expanduser(), made_at=datetime.now(UTC), progress=_say)
    size = file.expanduser().stat().st_size
    typer.echo(f"{content.files:,} files, {content.size / _MIB:,.1f} MiB, in {file} ({size / _MIB:,.1f} MiB)")
    if settings.dagster_postgres:
        note("Dagster's runs are in PostgreSQL and not in this file: save them with pg_dump (docs/deploy.md)")


def restore(file: Annotated[Path, typer.Argument(metavar="FILE", help="What `stock-assets backup` wrote.")]) -> None:
    """Fill an empty home (STOCK_ASSETS_HOME=<folder>) from a backup, once every file in it is verified."""
    from storage.publisher import Publisher
    from storage.restoring import restore as put_back
    from storage.tables import SCHEMA_VERSION

    settings = open_home()
    require_writable(settings.home)
    restored = put_back(file.expanduser(), settings.home, progress=_say)
    if restored.schema_version == SCHEMA_VERSION:
        _say("publish")
        Publisher(settings.home).rebuild()
    else:
        note(f"the lake has schema version {restored.schema_version}: run `stock-assets migrate` to use it")
    content = restored.content
    typer.echo(
        f"{content.files:,} files, {content.size / _MIB:,.1f} MiB, as they were in {restored.home} on "
        f"{datetime.fromisoformat(restored.made_at):%Y-%m-%d %H:%M} UTC"
    )


def _say(what: str) -> None:
    note(f"… {what}")


def prune(
    days: Annotated[int, typer.Option(min=1, help="What is younger than so many days stays.")] = KEPT_DAYS,
    yes: Annotated[bool, typer.Option("--yes", help="Remove it. Without this it is only shown.")] = False,
) -> None:
    """Show, and with --yes remove, what nobody needs: old runs, unused fits, old databases, leftovers.

    Bars and forecasts stay, and every forecast can still be traced and made again.
    """
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
    table = grid("", "removed" if yes else "can go", "MiB", "what stays")
    for category in found:
        size = f"{category.size / _MIB:,.1f}" if category.size else ""
        table.add_row(category.name, f"{category.count:,}", size, category.rule)
    output().print(table)
    freed = sum(category.size for category in found) / _MIB
    note(f"{freed:,.1f} MiB freed" if yes else f"{freed:,.1f} MiB can be freed: `stock-assets prune --yes` does it")
