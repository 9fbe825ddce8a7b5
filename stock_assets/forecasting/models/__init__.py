"""The models: ADD A MODEL = ADD ONE FILE HERE. Discovered by file name, tested by one contract suite.

Each module defines exactly one `Forecaster` subclass whose `name` is the file's stem. Modules whose name starts with an
underscore hold what several models share.
"""

import importlib
import pkgutil
from functools import cache

from stock_assets.forecasting.models._base import Fitted, Forecaster, Progress, quiet

__all__ = ["BENCHMARK", "Fitted", "Forecaster", "Progress", "discover", "quiet"]

BENCHMARK = "random_walk"


@cache
def discover() -> dict[str, type[Forecaster]]:
    """Every model by name, the benchmark first, then in alphabetical order. Imports no heavy library."""
    names = [module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_")]
    ordered = sorted(names, key=lambda name: (name != BENCHMARK, name))
    return {name: _forecaster_in(name) for name in ordered}


def _forecaster_in(name: str) -> type[Forecaster]:
    module = importlib.import_module(f"{__name__}.{name}")
    found = [
        thing
        for thing in vars(module).values()
        if isinstance(thing, type) and issubclass(thing, Forecaster) and thing.__module__ == module.__name__
    ]
    if len(found) != 1 or found[0].name != name:
        raise TypeError(f"{module.__file__} must define exactly one Forecaster named {name!r}, found {found}")
    return found[0]
