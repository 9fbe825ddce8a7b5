"""Writing what bodies made: refused whole or stored whole, append-only tables in one file for many tickers."""

from collections.abc import Collection, Mapping, Sequence

import pandas as pd

from stock_assets.access import Access
from stock_assets.lineage import Declaration, Output
from storage.contracts import conform
from storage.errors import ContractViolation
from storage.lake import Lake
from storage.tables import TABLES


class Rows:
    """The rows that one step makes.

    Args:
        declaration: of the step.
        outputs: those of its outputs that are wanted in this run.
        lake: where the rows go.
        access: what the step may make.

    Attributes:
        n: key of an output → rows made.
    """

    def __init__(self, declaration: Declaration, outputs: Sequence[Output], lake: Lake, access: Access) -> None:
        """Write nothing yet."""
        self._declaration, self._outputs, self._lake, self._access = declaration, outputs, lake, access
        self.n = dict.fromkeys((output.key for output in outputs), 0)
        self._waiting: dict[str, list[pd.DataFrame]] = {}

    def keep(self, ticker: str, tables: Mapping[str, pd.DataFrame], *, unchanged: Collection[str] = ()) -> None:
        """Write a ticker's rows; those of append-only tables wait for `append_kept`.

        Args:
            ticker: whose rows they are.
            tables: table → rows.
            unchanged: schemes whose rows are stored already, as they are.

        Raises:
            ContractViolation, UndeclaredAccess: the rows do not fit; nothing was written.
        """
        self._check(ticker, tables)
        for output in self._outputs:
            rows = tables[output.table]
            if not TABLES[output.table].append_only:
                self._write(output, ticker, rows, unchanged)
            self.n[output.key] += len(rows)
        for name, rows in tables.items():
            if TABLES[name].append_only and len(rows):
                self._waiting.setdefault(name, []).append(rows)

    def append_kept(self) -> None:
        """Append what waits: one file a table, for all tickers that are worked on together."""
        for name, frames in self._waiting.items():
            self._lake.append(name, pd.concat(frames, ignore_index=True), only_new=True)
        self._waiting = {}

    def _check(self, ticker: str, tables: Mapping[str, pd.DataFrame]) -> None:
        """Refuse rows before any is written: what a ticker's body made is stored whole, or not at all."""
        self._access.require_makes(tables)
        for name, rows in tables.items():
            if len(tables) > 1 or TABLES[name].append_only:  # one alone is checked where it is written
                conform(TABLES[name], rows, self._partition(name, ticker))
        for output in self._outputs:
            foreign = set(tables[output.table]["scheme"]).difference(output.schemes) if output.schemes else None
            if foreign:
                schemes = f"{', '.join(sorted(foreign))}, and writes {', '.join(output.schemes)}"
                raise ContractViolation(
                    f"{output.key} made rows of scheme {schemes}", cure="name the scheme where the asset is declared"
                )

    def _write(self, output: Output, ticker: str, rows: pd.DataFrame, unchanged: Collection[str]) -> None:
        partition = self._partition(output.table, ticker)
        if not output.schemes:
            self._lake.write(output.table, rows, **partition)
        for scheme in output.schemes:  # a scheme without rows is emptied
            if scheme not in unchanged:
                self._lake.write(output.table, rows[rows["scheme"] == scheme], **partition, scheme=scheme)

    def _partition(self, table: str, ticker: str) -> dict[str, str]:
        is_of_a_model = "model" in TABLES[table].partition_by
        return {"ticker": ticker} | ({"model": str(self._declaration.model)} if is_of_a_model else {})
