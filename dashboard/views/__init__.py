"""The pages. ADD A PAGE = ADD ONE FILE HERE: it is discovered, gets its address and its place in the navigation."""

from functools import cache
from importlib import import_module
from pkgutil import iter_modules

from dashboard.views._base import View


@cache
def all_views() -> tuple[type[View], ...]:
    """Every page, in the order of the navigation."""
    names = [module.name for module in iter_modules(__path__) if not module.name.startswith("_")]
    return tuple(sorted((_view_of(name) for name in names), key=lambda view: view.order))


def _view_of(name: str) -> type[View]:
    module = import_module(f"{__name__}.{name}")
    own = [kind for kind in vars(module).values() if isinstance(kind, type) and kind.__module__ == module.__name__]
    view = next(kind for kind in own if issubclass(kind, View))
    if view.name != name:
        raise TypeError(f"views/{name}.py declares the page {view.name!r}; a file's stem is its page's name")
    return view
