"""Which names are known, and which one was probably meant."""

import difflib
from collections.abc import Iterable

from storage.errors import UnknownTable
from storage.schema import Table
from storage.tables import TABLES
from storage.views import VIEWS


def find_table(name: str) -> Table:
    """The contract of table `name`; `UnknownTable`, with the nearest name or all names."""
    if name not in TABLES:
        raise unknown_table(name, TABLES)
    return TABLES[name]


def find_relation(name: str) -> str:
    """`name`, if it is a published table or view; `UnknownTable` otherwise."""
    known = [*TABLES, *(view.name for view in VIEWS)]
    if name not in known:
        raise unknown_table(name, known)
    return name


def unknown_table(name: str, known: Iterable[str]) -> UnknownTable:
    """The error for a table that is none of `known`."""
    return UnknownTable(f"there is no table {name!r}", cure=suggest(name, known))


def suggest(name: str, known: Iterable[str]) -> str:
    """The nearest of the known names as a question, or the list of all."""
    known = list(known)
    near = difflib.get_close_matches(name.lower(), known, n=1)
    return f"did you mean {near[0]}?" if near else f"use one of {', '.join(known)}"
