"""Which home the screens show, and why."""

from dataclasses import dataclass
from pathlib import Path

from storage.layout import scan
from storage.tables import TABLES


@dataclass(frozen=True)
class Choice:
    """A home, and the sentence that says why this one."""

    home: Path
    why: str


def choose_home(home: Path, *, is_given: bool, demo: Path | None) -> Choice:
    """The first home with something to show; the usual one if there is none.

    Args:
        home: as the settings have it.
        is_given: whether somebody named it; then it is taken as it is.
        demo: where `make demo` keeps its state; None where there is no clone.
    """
    if is_given:
        return Choice(home, "STOCK_ASSETS_HOME names it")
    if count := _tickers(home):
        return Choice(home, f"the usual one, with {count} ticker{'s' if count > 1 else ''}")
    if demo is not None and _tickers(demo):
        return Choice(demo, f"the demo's, since {home} holds no ticker yet; STOCK_ASSETS_HOME names another")
    cure = "`stock-assets run --ticker AAPL` fills it" + (
        "" if demo is None else ", or `make demo` makes one to look at"
    )
    return Choice(home, f"it holds no ticker yet: {cure}")


def _tickers(home: Path) -> int:
    """How many tickers its lake has: each is one file."""
    lake = home / "lake"
    return len(scan(lake, TABLES["tickers"])) if lake.is_dir() else 0
