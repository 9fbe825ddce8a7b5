"""The lake: Parquet files that are the truth. Old or new, never half, whoever is killed when.

What belongs here: writing, appending, reading and deleting rows of tables. What does not: the published database made
from them (`publisher.py`), which is what people and dashboards read.

Writers of different partitions need no lock. Two locks exist: the lake's, held alone by a migration only, and one for
each append-only table, held alone by a compaction only.
"""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

import pandas as pd
import pyarrow as pa

from storage import compaction, locks, version
from storage.contracts import arrow_schema, conform, to_frame
from storage.errors import ContractViolation
from storage.files import link_or_copy, remove_abandoned, replace_atomically
from storage.layout import Signature, new_append_path, partition_of, partition_path, scan
from storage.names import find_table
from storage.parquet import Value, as_values, condition_for, read_rows, span, write_rows
from storage.schema import Table
from storage.tables import SCHEMA_VERSION, TABLES


class Lake:
    """The tables below one folder.

    Opening does not create anything; the first write does. Instances hold no handle and may be shared by threads.
    `SchemaVersionMismatch` where the lake was written by another version of this project.
    """

    def __init__(self, root: Path) -> None:
        """Open the lake at `root`, which need not exist yet."""
        self.root = root
        version.require_current(root)

    def write(self, table: str, frame: pd.DataFrame, **partition: str) -> Path:
        """Replace one partition by `frame`, whole.

        Raises:
            UnknownTable, InvalidTicker, ContractViolation: the frame or partition does not fit; nothing was touched.
        """
        contract = find_table(table)
        path = partition_path(self.root, contract, partition)
        rows = conform(contract, frame, partition)
        with self._open_for_writing():
            replace_atomically(path, lambda temporary: write_rows(rows, temporary))
        return path

    def append(self, table: str, frame: pd.DataFrame, *, only_new: bool = False) -> int:
        """Add the rows of `frame` to an append-only table, as one file, and say how many. An empty frame adds nothing.

        With `only_new`, rows whose key is stored already are left out, safely against other processes that do the same.
        `ContractViolation` where the table is not append-only, or the frame does not fit; nothing was touched.
        """
        contract = _require_append_only(find_table(table))
        rows = conform(contract, frame)
        with ExitStack() as stack:
            if only_new:
                stack.enter_context(locks.exclusive(self._lock(f"{table}.new")))
            stack.enter_context(self._open_for_writing())
            stack.enter_context(self._steady(contract))
            if only_new:
                # Equal keys have equal tickers.
                same = {"ticker": rows["ticker"].unique().to_pylist()} if "ticker" in contract.column_names else {}
                rows = _without(rows, self._read_rows(contract, same), contract.key)
            if rows.num_rows:
                path = new_append_path(self.root, contract)
                replace_atomically(path, lambda temporary: write_rows(rows, temporary))
        return int(rows.num_rows)

    def read(self, table: str, **where: Value) -> pd.DataFrame:
        """Rows of `table`, in the contract's column order, sorted by key; empty and typed where there is nothing.

        In `where` are column = value, or column = list of values, all of which must hold.

        Raises:
            UnknownTable: no such table. ContractViolation: no such column, or a file that does not fit the contract.
        """
        contract = find_table(table)
        with self._open_for_reading(), self._steady(contract):
            rows = self._read_rows(contract, where)
        return to_frame(contract, rows.sort_by([(name, "ascending") for name in contract.key]))

    def delete(self, table: str, **partition: str) -> bool:
        """Remove one partition. Returns whether it was there."""
        contract = find_table(table)
        path = partition_path(self.root, contract, partition)
        with self._open_for_writing():
            existed = path.exists()
            path.unlink(missing_ok=True)
        return existed

    def partitions(self, table: str) -> list[dict[str, str]]:
        """The partitions that are there, each as column → value; none for append-only tables."""
        contract = find_table(table)
        return [] if contract.append_only else [partition_of(contract, path) for path in scan(self.root, contract)]

    def compact(self, table: str, *, patience: float | None = None) -> int:
        """Merge the files of an append-only table into one, of the same rows. Returns how many were merged.

        0 where there was nothing to merge, or the table stayed busy for `patience` seconds (None: waits for ever).
        """
        contract = _require_append_only(find_table(table))
        with self._open_for_writing(), locks.exclusive(self._lock(table), patience=patience) as held:
            if not held:
                return 0
            compaction.finish(self.root / table)
            paths = [self.root / path for path in scan(self.root, contract)]
            if len(paths) < 2:
                return 0
            rows = self._read_rows(contract, {}).sort_by([(name, "ascending") for name in contract.key])
            final = new_append_path(self.root, contract)
            compaction.merge(paths, final, lambda temporary: write_rows(rows, temporary))
        return len(paths)

    def sweep(self) -> list[Path]:
        """Finish interrupted compactions and remove what dead writers left. Returns the files removed."""
        for table in TABLES.values():
            if table.append_only and compaction.is_pending(self.root / table.name):
                with locks.exclusive(self._lock(table.name)):
                    compaction.finish(self.root / table.name)
        return remove_abandoned(self.root)

    @contextmanager
    def steady(self) -> Iterator[None]:
        """Hold off migrations and compactions, so that listed files stay. Replacing and deleting partitions goes on.

        Do not read, append or compact inside: a second turn at a lock somebody waits for would never come.
        """
        with ExitStack() as stack:
            stack.enter_context(self._open_for_reading())
            for table in TABLES.values():
                stack.enter_context(self._steady(table))
            yield

    def snapshot(self, folder: Path) -> None:
        """Put one moment of the lake into `folder`, by hard links where the file system has them.

        Readers and writers wait meanwhile, so what one of them wrote in several files may be there in part, never half
        a file.
        """
        with locks.exclusive(self._lock("lake")):
            version.require_current(self.root)
            for table in TABLES.values():
                if table.append_only:
                    compaction.finish(self.root / table.name)
                for path in scan(self.root, table):
                    link_or_copy(self.root / path, folder / path)
            link_or_copy(self.root / version.FILE, folder / version.FILE)

    def _read_rows(self, table: Table, where: Mapping[str, Value]) -> pa.Table:
        # Partition columns are answered by the choice of files.
        condition = condition_for(table, {name: v for name, v in where.items() if name not in table.partition_by})
        found = [arrow_schema(table).empty_table()]
        asked = {name: as_values(value) for name, value in where.items()}
        for path, content_now in scan(self.root, table, asked).items():
            is_asked = _may_hold(self.root / path, table, content_now, asked)
            content = read_rows(self.root, table, path, condition) if is_asked else None
            if content is not None:
                found.append(content[0])
        return pa.concat_tables(found)

    @contextmanager
    def _open_for_reading(self) -> Iterator[None]:
        with locks.shared(self._lock("lake")):
            version.require_current(self.root)
            yield

    @contextmanager
    def _open_for_writing(self) -> Iterator[None]:
        with locks.shared(self._lock("lake")):
            if not version.require_current(self.root):
                version.write_version(self.root, SCHEMA_VERSION)
            yield

    @contextmanager
    def _steady(self, table: Table) -> Iterator[None]:
        if not table.append_only:
            yield
            return
        lock = self._lock(table.name)
        while True:
            with locks.shared(lock):
                if not compaction.is_pending(self.root / table.name):
                    yield
                    return
            with locks.exclusive(lock):
                compaction.finish(self.root / table.name)

    def _lock(self, name: str) -> Path:
        return self.root / ".locks" / f"{name}.lock"


def _require_append_only(table: Table) -> Table:
    if not table.append_only:
        problem = f"{table.name} is partitioned by ({', '.join(table.partition_by)}), not append-only"
        raise ContractViolation(problem, cure="write whole partitions")
    return table


def _may_hold(path: Path, table: Table, content: Signature, asked: Mapping[str, list[object]]) -> bool:
    """Whether a file can have rows of the tickers asked for. Appended files mostly have one ticker's."""
    if not table.append_only or "ticker" not in asked or not all(isinstance(value, str) for value in asked["ticker"]):
        return True
    within = span(path, "ticker", content)
    return within is None or any(within[0] <= ticker <= within[1] for ticker in asked["ticker"])  # type: ignore[operator]


def _without(rows: pa.Table, stored: pa.Table, key: tuple[str, ...]) -> pa.Table:
    """The rows whose key is not among the stored ones."""
    new = rows.join(stored.select(list(key)), keys=list(key), join_type="left anti").select(rows.column_names)
    return pa.Table.from_arrays(new.columns, schema=rows.schema)  # a join forgets which columns may be null
