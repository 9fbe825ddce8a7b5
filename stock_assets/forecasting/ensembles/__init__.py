"""The ensembles: what combines stored predictions of models, and fits nothing. ADD AN ENSEMBLE = ADD ONE FILE HERE.

Siblings of the models, not models: an ensemble sees what its members publish, never a bar. Each module without a
leading underscore defines exactly one `Ensemble` whose `name` is the file's stem. Members are found by discovery, too:
every model but the benchmark.
"""

import importlib
import pkgutil
from functools import cache

from stock_assets.forecasting.ensembles._base import Ensemble, FittedEnsemble
from stock_assets.forecasting.models import BENCHMARK, discover

__all__ = ["Ensemble", "FittedEnsemble", "discover_ensembles", "member_names", "model_names"]


@cache
def discover_ensembles() -> dict[str, type[Ensemble]]:
    """Every ensemble by name, in alphabetical order."""
    names = sorted(module.name for module in pkgutil.iter_modules(__path__) if not module.name.startswith("_"))
    return {name: _ensemble_in(name) for name in names}


def member_names() -> tuple[str, ...]:
    """The models that ensembles combine."""
    return tuple(name for name in discover() if name != BENCHMARK)


def model_names() -> tuple[str, ...]:
    """Everything that publishes predictions, the benchmark first, then in alphabetical order."""
    return (BENCHMARK, *sorted([*member_names(), *discover_ensembles()]))


def _ensemble_in(name: str) -> type[Ensemble]:
    module = importlib.import_module(f"{__name__}.{name}")
    found = [
        thing
        for thing in vars(module).values()
        if isinstance(thing, type) and issubclass(thing, Ensemble) and thing.__module__ == module.__name__
    ]
    if len(found) != 1 or found[0].name != name:
        raise TypeError(f"{module.__file__} must define exactly one Ensemble named {name!r}, found {found}")
    return found[0]
