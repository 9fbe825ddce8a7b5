"""One Parquet file of the lake: writing it, reading it, and reading only some rows of it."""

import os
from collections.abc import Collection, Mapping
from functools import lru_cache
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from storage.contracts import arrow_schema
from storage.errors import ContractViolation
from storage.layout import Signature, partition_of, signature
from storage.names import suggest
from storage.schema import Table

CURE_OF_DAMAGE = "restore the file from a backup, or delete it and run that ticker again"
Value = object | Collection[object]
# Rows are sorted by key, so that one ticker's rows in a large file lie in few row groups.
_ROW_GROUP = 32_768


def write_rows(rows: pa.Table, path: Path) -> None:
    """Write `rows` to `path`, which nobody reads yet."""
    # Files are many and small: LZ4 without dictionaries is read three times as fast as Zstandard, and as small.
    pq.write_table(rows, path, compression="lz4", use_dictionary=False, row_group_size=_ROW_GROUP)


def read_rows(
    root: Path, table: Table, path: str, condition: pc.Expression | None = None
) -> tuple[pa.Table, Signature] | None:
    """Rows of the file at `path` (relative to the lake) that meet `condition`, and the signature of what was read.

    Returns None if the file is gone. Files are never changed in place, so an open one stays what it was.

    Raises:
        ContractViolation: the file is damaged: it cannot be read, its columns are not the contract's, or it has rows of
            another partition.
    """
    try:
        with (root / path).open("rb") as handle:
            status = os.fstat(handle.fileno())
            if condition is None:
                rows = pq.ParquetFile(handle).read(use_threads=False)
            else:
                rows = pq.read_table(handle, filters=condition, use_threads=False)
    except FileNotFoundError:
        return None
    except (pa.ArrowException, OSError, UnicodeDecodeError) as error:
        first_line = str(error).partition("\n")[0]
        raise _damaged(root / path, f"cannot be read: {first_line}") from error
    if not rows.schema.equals(arrow_schema(table)):
        raise _damaged(root / path, f"does not have the columns of {table.name}")
    for name, value in partition_of(table, path).items() if table.partition_by else ():
        if not pc.all(pc.equal(rows[name], value), min_count=0).as_py():
            raise _damaged(root / path, f"has rows whose {name} is not {value!r}")
    return rows, signature(status)


@lru_cache(maxsize=16_384)
def span(path: Path, column: str, _: Signature) -> tuple[object, object] | None:
    """Lowest and highest value of a column, by the file's footer; None where that does not tell.

    Asked once for each content of a file: the third argument is what tells contents apart.
    """
    try:
        footer = pq.read_metadata(path)
    except (pa.ArrowException, OSError):
        return None  # whoever reads it says what is wrong with it
    position = footer.schema.to_arrow_schema().get_field_index(column)
    groups = [footer.row_group(number) for number in range(footer.num_row_groups)]
    found = [group.column(position).statistics for group in groups] if position >= 0 else []
    if not found or not all(one is not None and one.has_min_max for one in found):
        return None
    return min(one.min for one in found), max(one.max for one in found)


def condition_for(table: Table, where: Mapping[str, Value]) -> pc.Expression | None:
    """`column = value` or `column in values` for every item of `where`; None where it is empty.

    `ContractViolation` where there is no such column, or a value is of another type than the column.
    """
    condition = None
    schema = arrow_schema(table)
    for name, value in where.items():
        if name not in table.column_names:
            raise ContractViolation(f"{table.name} has no column {name!r}", cure=suggest(name, table.column_names))
        try:
            wanted = pa.array(as_values(value), type=schema.field(name).type)
        except (pa.ArrowInvalid, pa.ArrowTypeError) as error:
            problem = f"{table.name}: {name} is {schema.field(name).type}, asked for {value!r}"
            raise ContractViolation(problem, cure="give values of the column's type") from error
        term = pc.field(name).isin(wanted)
        condition = term if condition is None else condition & term
    return condition


def as_values(value: Value) -> list[object]:
    """One value or several, as a list."""
    return list(value) if isinstance(value, Collection) and not isinstance(value, str) else [value]


def _damaged(path: Path, what: str) -> ContractViolation:
    return ContractViolation(f"{path} {what}", cure=CURE_OF_DAMAGE)
