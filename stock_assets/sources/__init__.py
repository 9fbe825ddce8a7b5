"""Where bars come from: one file per source, one contract (`base.py`). ADD A SOURCE = ADD ONE FILE HERE.

Each module other than that, whose name has no leading underscore, defines exactly one class whose `name` is the file's
stem.
"""

import importlib
import inspect
import pkgutil
from functools import cache
from pathlib import Path
from typing import Any

from stock_assets.sources.base import BAR_COLUMNS, Bars, Source, UnknownSource

__all__ = ["BAR_COLUMNS", "Bars", "Source", "open_source", "source_names"]


@cache
def source_names() -> tuple[str, ...]:
    """Names of all sources, in alphabetical order. Imports none of them."""
    names = (module.name for module in pkgutil.iter_modules(__path__))
    return tuple(sorted(name for name in names if not name.startswith("_") and name != "base"))


def open_source(name: str, *, csv_dir: Path | None = None) -> Source:
    """The source of that name, given `csv_dir` if it takes that; `UnknownSource`, listing the names there are."""
    if name not in source_names():
        problem = f"{name!r} is not a price source; expected one of {', '.join(source_names())}"
        raise UnknownSource(problem, cure="pass --source with one")
    kind = _source_in(name)
    opened: Source = kind(csv_dir=csv_dir) if "csv_dir" in inspect.signature(kind).parameters else kind()
    return opened


def _source_in(name: str) -> type[Any]:
    module = importlib.import_module(f"{__name__}.{name}")
    found = [
        thing
        for thing in vars(module).values()
        if inspect.isclass(thing) and thing.__module__ == module.__name__ and hasattr(thing, "fetch")
    ]
    if len(found) != 1 or getattr(found[0], "name", None) != name:
        raise TypeError(f"{module.__file__} must define exactly one source named {name!r}, found {found}")
    return found[0]
