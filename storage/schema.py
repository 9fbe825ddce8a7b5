"""What a contract is made of: columns, tables and views."""

from dataclasses import dataclass
from functools import cached_property
from typing import Literal

Type = Literal["VARCHAR", "DOUBLE", "BIGINT", "BOOLEAN", "DATE", "TIMESTAMPTZ"]


@dataclass(frozen=True)
class Column:
    """One column. `meaning` becomes the column's comment, with the unit in brackets."""

    name: str
    type: Type
    meaning: str
    unit: str | None = None
    nullable: bool = False


@dataclass(frozen=True, eq=False)
class Table:
    """One table.

    Attributes:
        key: columns that identify a row.
        partition_by: columns of which each combination is one file, replaced whole; empty for append-only tables,
            which get one file per write and are never edited.
        writer: the asset (or command) that writes it.
    """

    name: str
    meaning: str
    writer: str
    key: tuple[str, ...]
    columns: tuple[Column, ...]
    partition_by: tuple[str, ...] = ()

    @property
    def append_only(self) -> bool:
        """Whether rows are only ever added."""
        return not self.partition_by

    @cached_property
    def column_names(self) -> tuple[str, ...]:
        """Names in the table's order."""
        return tuple(column.name for column in self.columns)


def text(name: str, meaning: str, nullable: bool = False) -> Column:
    """A text column."""
    return Column(name, "VARCHAR", meaning, nullable=nullable)


def number(name: str, meaning: str, unit: str | None = None, nullable: bool = False) -> Column:
    """A column of 64-bit floating-point numbers."""
    return Column(name, "DOUBLE", meaning, unit, nullable)


def count(name: str, meaning: str, nullable: bool = False) -> Column:
    """A column of whole numbers."""
    return Column(name, "BIGINT", meaning, nullable=nullable)


def flag(name: str, meaning: str, nullable: bool = False) -> Column:
    """A column of true and false."""
    return Column(name, "BOOLEAN", meaning, nullable=nullable)


def date(name: str, meaning: str, nullable: bool = False) -> Column:
    """A column of sessions."""
    return Column(name, "DATE", meaning, nullable=nullable)


def time(name: str, meaning: str, nullable: bool = False) -> Column:
    """A column of moments, in UTC."""
    return Column(name, "TIMESTAMPTZ", meaning, "UTC", nullable)


@dataclass(frozen=True)
class View:
    """One published view. `computed` are the columns that no table it reads has."""

    name: str
    meaning: str
    sql: str
    computed: tuple[Column, ...] = ()
