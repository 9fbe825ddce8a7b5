"""Where the rows of a table lie in the lake, and which files are there now.

`lake/prices/ticker=AAPL.parquet`, `lake/predictions/ticker=AAPL/model=xgboost.parquet`: every partition is one file,
its last column names the file. `lake/forecasts/<time>.<writer>.parquet`: one file per append; names sort by time.
"""

import os
import re
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote, unquote

from storage.errors import ContractViolation
from storage.files import writer_id
from storage.schema import Table
from storage.tickers import validate_ticker

SUFFIX = ".parquet"
_PLAIN = re.compile(r"[a-z][a-z0-9_]{0,63}")


class Signature(NamedTuple):
    """What tells one content of a file from another: every write makes a new inode."""

    inode: int
    size: int
    mtime_ns: int


def signature(status: os.stat_result) -> Signature:
    """The signature in a `stat` result."""
    return Signature(status.st_ino, status.st_size, status.st_mtime_ns)


def partition_path(root: Path, table: Table, partition: Mapping[str, str]) -> Path:
    """The one file of a partition.

    Raises:
        ContractViolation: `partition` does not name exactly the table's partition columns, or a value is no safe name.
        InvalidTicker: the ticker is none.
    """
    if tuple(sorted(partition)) != tuple(sorted(table.partition_by)):
        problem = f"{table.name} is partitioned by ({', '.join(table.partition_by)}), given ({', '.join(partition)})"
        raise ContractViolation(problem, cure="append to it" if table.append_only else "name each of them once")
    parts = [_part(name, _safe(table, name, partition[name])) for name in table.partition_by]
    return root.joinpath(table.name, *parts[:-1], parts[-1] + SUFFIX)


def partition_of(table: Table, path: str) -> dict[str, str]:
    """The partition whose file lies at `path`, relative to the lake."""
    parts = path.removesuffix(SUFFIX).split("/")[1:]
    return {name: unquote(part.partition("=")[2]) for name, part in zip(table.partition_by, parts, strict=True)}


def new_append_path(root: Path, table: Table) -> Path:
    """A new file name of an append-only table: sorts by time, unique across machines, processes and threads."""
    return root / table.name / f"{time.time_ns():020d}.{writer_id()}{SUFFIX}"


def scan(root: Path, table: Table, where: Mapping[str, Collection[object]] | None = None) -> dict[str, Signature]:
    """The table's files as they are now: path relative to the lake → signature, ordered by path.

    Args:
        table: of an append-only one, all files are listed.
        where: partition column → values; files of other values are not looked at.
    """
    asked = where or {}
    levels = [
        {_part(name, value) for value in asked[name] if isinstance(value, str)} if name in asked else None
        for name in table.partition_by
    ]
    return dict(sorted(_walk(root / table.name, table.name, levels or [None])))


def _walk(folder: Path, prefix: str, levels: Sequence[set[str] | None]) -> Iterator[tuple[str, Signature]]:
    try:
        entries = list(os.scandir(folder))
    except FileNotFoundError:
        return
    wanted, *deeper = levels
    for entry in entries:
        if entry.name.startswith("."):  # temporary files and journals
            continue
        if wanted is not None and entry.name.removesuffix(SUFFIX) not in wanted:
            continue
        if deeper:
            yield from _walk(Path(entry.path), f"{prefix}/{entry.name}", deeper)
        elif entry.name.endswith(SUFFIX):
            try:
                yield f"{prefix}/{entry.name}", signature(entry.stat())
            except FileNotFoundError:  # deleted since it was listed
                continue


def _part(name: str, value: str) -> str:
    return f"{name}={quote(value, safe='^&')}"


def _safe(table: Table, name: str, value: str) -> str:
    if name == "ticker":
        return validate_ticker(value)
    if not _PLAIN.fullmatch(value):
        problem = f"{table.name}: {name} {value!r} cannot name a file, expected a–z, 0–9 and _ starting with a letter"
        raise ContractViolation(problem, cure=f"rename the {name}")
    return value
