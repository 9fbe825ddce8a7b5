"""What a contract is made of: columns, tables and views."""

from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Literal

Type = Literal["VARCHAR", "DOUBLE", "BIGINT", "BOOLEAN", "DATE", "TIMESTAMPTZ"]


@dataclass(frozen=True)
class Column:
    """One column. `meaning` becomes the column's comment, with the unit in brackets."""

    name: str
    meaning: str
    unit: str | None = None
    nullable: bool = False
    type: Type = field(kw_only=True)


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


text = partial(Column, type="VARCHAR")
number = partial(Column, type="DOUBLE")
count = partial(Column, type="BIGINT")
flag = partial(Column, type="BOOLEAN")
date = partial(Column, type="DATE")
time = partial(Column, type="TIMESTAMPTZ", unit="UTC")


@dataclass(frozen=True)
class View:
    """One published view. `computed` are the columns that no table it reads has."""

    name: str
    meaning: str
    sql: str
    computed: tuple[Column, ...] = ()
