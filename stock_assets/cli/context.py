"""What every command shares: which home, where output goes, how a ticker is read."""

import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING

import typer

from stock_assets.settings import Settings, load_settings

if TYPE_CHECKING:
    from rich.console import Console

# A pipe or a log has no width of its own; tables are laid out for this many columns there.
_WIDTH_WITHOUT_TERMINAL = 120


def open_home() -> Settings:
    """Read the settings and say which home is used, on stderr so that stdout stays readable by programs."""
    settings = load_settings()
    note(f"home: {settings.home}")
    return settings


def note(line: str) -> None:
    """Say something beside the output proper."""
    typer.echo(line, err=True)


def output() -> "Console":
    """A console on stdout."""
    from rich.console import Console

    console = Console(highlight=False, soft_wrap=False)
    if not sys.stdout.isatty():
        console.width = max(console.width, _WIDTH_WITHOUT_TERMINAL)
    return console


def read_ticker(name: str) -> str:
    """One ticker as typed: `aapl` is read as AAPL, and said so.

    Raises:
        InvalidTicker: for anything that is not a ticker in capitals either, for example `A,B` or `../X`.
    """
    from storage.tickers import validate_ticker

    ticker = validate_ticker(name.upper() if name.isascii() else name)
    if ticker != name:
        note(f"note: {name!r} is read as {ticker}")
    return ticker


def read_tickers(names: Iterable[str]) -> list[str]:
    """Several tickers as typed, each once, in the order given."""
    return list(dict.fromkeys(read_ticker(name) for name in names))
