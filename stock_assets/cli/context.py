"""What every command shares: which home, whether it can be written to, where output goes, how a ticker is read."""

import os
import sys
import tempfile
from collections.abc import Collection, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from stock_assets.errors import StockAssetsError
from stock_assets.settings import Settings, load_settings

if TYPE_CHECKING:
    from rich.console import Console

# A pipe or a log has no width of its own; tables are laid out for this many columns there.
_WIDTH_WITHOUT_TERMINAL = 120


class HomeNotWritable(StockAssetsError):
    """The home cannot be made or written to."""


class UnknownToThisHome(StockAssetsError):
    """The ticker is not in the universe."""


def open_home() -> Settings:
    """Read the settings and say which home is used, on stderr so that stdout stays readable by programs."""
    settings = load_settings()
    note(f"home: {settings.home}")
    return settings


def require_writable(home: Path) -> None:
    """Make the home if need be and try it, before anything is done in it; `HomeNotWritable`, with reason and cure."""
    try:
        home.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise _not_writable(home, error.strerror or str(error)) from error
    for folder in (home, *sorted(path for path in home.iterdir() if path.is_dir())):
        reason = why_not_writable(folder)
        if reason is not None:
            raise _not_writable(folder, reason)


def why_not_writable(folder: Path) -> str | None:
    """Why no file can be made in an existing folder; None where one can. Permissions alone do not tell."""
    try:
        with tempfile.TemporaryFile(dir=folder):
            return None
    except OSError as error:
        return error.strerror or str(error)


def nearest_existing(path: Path) -> Path:
    """`path`, or the closest above it that exists and may be looked at."""
    return next(candidate for candidate in (path, *path.parents) if os.path.exists(candidate))


def _not_writable(folder: Path, reason: str) -> HomeNotWritable:
    return HomeNotWritable(
        f"{folder} cannot be written to ({reason}), expected a folder of yours",
        cure="choose another home: STOCK_ASSETS_HOME=<a folder you may write to>",
    )


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
    """One ticker as typed: `aapl` is read as AAPL, and said so; `InvalidTicker`, as typed, for `A,B` or `../x`."""
    from storage import tickers

    ticker = tickers.read_ticker(name)
    if ticker != name:
        note(f"note: {name!r} is read as {ticker}")
    return ticker


def require_known(tickers: Iterable[str], known: Collection[str], home: Path, *, if_none: str) -> None:
    """Refuse the first ticker that is not among the known ones; `if_none` is the cure where nothing is known at all."""
    for ticker in tickers:
        if ticker not in known:
            cure = f"choose among {', '.join(sorted(known))}" if known else if_none
            raise UnknownToThisHome(f"{ticker} is not in the universe of {home}", cure=cure)


def read_tickers(names: Iterable[str]) -> list[str]:
    """Several tickers as typed, each once, in the order given."""
    return list(dict.fromkeys(read_ticker(name) for name in names))
