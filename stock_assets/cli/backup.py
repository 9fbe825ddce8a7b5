"""`backup` and `restore`: the whole home in one file, and out of it again."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from stock_assets.cli.context import note, open_home, require_writable

_MIB = 1 << 20


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(backup)
    app.command()(restore)


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


def restore(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="What `stock-assets backup` wrote.")],
) -> None:
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
