"""`tickers add | list | remove`: the universe. A ticker's bars, models and forecasts are never touched here."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stock_assets.cli.context import note, open_home, output, read_tickers, require_known, require_writable
from stock_assets.cli.layout import MISSING, grid, is_missing
from stock_assets.settings import Settings

if TYPE_CHECKING:
    from storage.lake import Lake

Names = Annotated[list[str], typer.Argument(metavar="TICKER…", help="As Yahoo spells them: AAPL, BRK-B, ^GSPC.")]


def build_group() -> typer.Typer:
    """The commands below `tickers`."""
    group = typer.Typer(help="The universe: which tickers are forecast.", no_args_is_help=False)
    group.callback(invoke_without_command=True)(_help)
    group.command("add")(add)
    group.command("list")(list_all)
    group.command("remove")(remove)
    return group


def _help(context: typer.Context) -> None:
    if context.invoked_subcommand is None:
        typer.echo(context.get_help())


def add(
    names: Names,
    source: Annotated[
        str, typer.Option(metavar="NAME", help="yahoo, sample or csv. Default: decided by the first run.")
    ] = "",
    csv_dir: Annotated[
        Path | None,
        typer.Option(metavar="FOLDER", help="Folder of TICKER.csv files: say at once if a ticker has none."),
    ] = None,
) -> None:
    """Add tickers to the universe. The next `stock-assets run` fetches, trains and forecasts them."""
    if csv_dir is not None and source != "csv":
        raise typer.BadParameter("it goes with --source csv", param_hint="--csv-dir")
    from storage.universe import require_one_source

    settings = open_home()
    tickers = read_tickers(names)
    _require_known_to(source, csv_dir or settings.csv_dir, tickers)
    require_writable(settings.home)
    lake = _open_lake(settings)
    for ticker in tickers:
        require_one_source(lake, ticker, source)
    for ticker in tickers:
        _add(lake, ticker, source)
    _publish(settings)


def list_all() -> None:
    """List the universe with each ticker's health."""
    from rich.text import Text

    from storage import queries
    from storage.errors import NothingPublished
    from storage.published import Reader

    settings = open_home()
    try:
        with Reader(settings.home) as reader:
            frame = queries.tickers(reader)
    except NothingPublished:
        note(f"nothing published in {settings.home} yet: add a ticker with `stock-assets tickers add AAPL`")
        return
    if frame.empty:
        note("no tickers yet: add one with `stock-assets tickers add AAPL`")
        return
    columns = ("ticker", "status", "source", "calendar", "currency", "updated_at", "stage", "reason", "cure")
    table = grid(*columns)
    for row in frame.to_dict(orient="records"):
        table.add_row(*(Text(_cell(row[column])) for column in columns))
    output().print(table)


def remove(names: Names) -> None:
    """Take tickers out of the universe. Their bars, models and forecasts stay, and with them their source.

    Added again, a ticker goes on with the bars it has. To begin anew, use another home (STOCK_ASSETS_HOME).
    """
    from storage.universe import remove_ticker

    settings = open_home()
    tickers = read_tickers(names)
    known: set[str] = set()
    if settings.lake_dir.is_dir():  # else nothing is there, and a mistyped home is not made
        require_writable(settings.home)
        known = set(_open_lake(settings).read("tickers")["ticker"])
    require_known(tickers, known, settings.home, if_none="there is nothing to remove")
    lake = _open_lake(settings)
    for ticker in tickers:
        remove_ticker(lake, ticker)
        note(f"{ticker}: removed from the universe; its bars, models and forecasts stay")
    _publish(settings)


def _open_lake(settings: Settings) -> "Lake":
    from storage.lake import Lake

    return Lake(settings.lake_dir)


def _require_known_to(source: str, csv_dir: Path | None, tickers: list[str]) -> None:
    """Refuse now what a first fetch would refuse, as far as it can be known without a network."""
    if source:
        from stock_assets.sources import open_source

        opened, now = open_source(source, csv_dir=csv_dir), datetime.now(UTC)
        for ticker in tickers:
            newest = opened.last_session(ticker)
            if newest is not None:  # the source is at hand: it can be asked
                opened.fetch(ticker, newest, newest, now=now)


def _add(lake: "Lake", ticker: str, source: str) -> None:
    from storage.universe import add_ticker

    stored = lake.read("tickers", ticker=ticker)
    match add_ticker(lake, ticker, source, now=datetime.now(UTC)):
        case "added":
            note(f"{ticker}: added")
        case "kept":
            note(f"{ticker}: there already, status {stored['status'].iloc[0]}")
        case "source changed":
            before = stored["source"].iloc[0]
            note(f"{ticker}: source {'undecided' if is_missing(before) else before} → {source}")


def _publish(settings: Settings) -> None:
    from storage.publisher import Publisher

    Publisher(settings.home).publish()


def _cell(value: object) -> str:
    if is_missing(value):
        return MISSING
    return f"{value:%Y-%m-%d %H:%M} UTC" if isinstance(value, datetime) else str(value)
