"""The tables a body may read and make: those its asset declares. Everything else is refused while it runs.

What it made is refused whole or stored whole, the rows of append-only tables in one file for many tickers.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from stock_assets.errors import StockAssetsError
from stock_assets.forecasting.ensembles import model_names
from stock_assets.lineage import Declaration, Output, Read
from storage.contracts import conform
from storage.errors import ContractViolation
from storage.lake import Lake
from storage.names import find_table
from storage.tables import TABLES


class UndeclaredAccess(StockAssetsError):
    """A body asked for a table, or made rows of one, that its asset does not declare."""


class Access:
    """What the step of a declaration may read and make in a lake."""

    def __init__(self, declaration: Declaration, lake: Lake) -> None:
        """Read nothing yet."""
        self.declaration, self.lake = declaration, lake
        self._chunk: tuple[str, ...] = ()
        self._read: dict[tuple[str, str], dict[str, pd.DataFrame] | None] = {}

    def work_on(self, tickers: Sequence[str]) -> None:
        """From now on these are asked for, together."""
        self._chunk, self._read = tuple(tickers), {}

    def read(self, table: str, ticker: str, where: Mapping[str, Any]) -> pd.DataFrame:
        """A ticker's rows of a table; `UndeclaredAccess` where it, or such models or schemes, are not declared."""
        return self._rows(table, ticker, self._allowed(table, where))

    def facts(self, ticker: str) -> dict[str, Any] | None:
        """The ticker's row of `tickers` as it was when its turn came; None where it has none."""
        rows = self._rows("tickers", ticker, {})
        return None if rows.empty else {str(name): value for name, value in rows.iloc[0].to_dict().items()}

    def _rows(self, table: str, ticker: str, asked: Mapping[str, Any]) -> pd.DataFrame:
        question = table, repr(sorted(asked.items()))
        if question not in self._read:
            self._read[question] = self._of_all(table, asked)
        found = self._read[question]
        if found is None:
            return self.lake.read(table, ticker=ticker, **asked)
        return found.get(ticker, found[""]).copy()

    def _of_all(self, table: str, asked: Mapping[str, Any]) -> dict[str, pd.DataFrame] | None:
        """The rows of all tickers that are worked on together, by ticker: asked at once they cost a fraction.

        None where a file cannot be read: each ticker then asks for its own, and the one it belongs to fails alone.
        """
        try:
            rows = self.lake.read(table, ticker=list(self._chunk), **asked)
        except StockAssetsError:
            return None
        parts = {str(name): part.reset_index(drop=True) for name, part in rows.groupby("ticker")}
        return {"": rows.iloc[:0]} | parts

    def require_makes(self, tables: Iterable[str]) -> None:
        """Refuse rows of tables that the asset does not declare to make, with `UndeclaredAccess` of the first."""
        allowed = {output.table for output in self.declaration.outputs} | set(self.declaration.logs)
        for name in sorted(set(tables) - allowed):
            raise self._undeclared(f"makes rows of {name}")

    def _allowed(self, table: str, where: Mapping[str, Any]) -> dict[str, Any]:
        """What is asked for, narrowed to the models and schemes that are declared."""
        contract, allowed, asked = find_table(table), self._declared(table), dict(where)
        if "model" in contract.partition_by:
            asked.setdefault("model", list(allowed.models or model_names()))
        if "scheme" in contract.partition_by and allowed.schemes:
            asked.setdefault("scheme", list(allowed.schemes))
        for name, bounds in (("model", allowed.models), ("scheme", allowed.schemes)):
            given = asked.get(name, ())
            foreign = set([given] if isinstance(given, str) else given) - set(bounds or given)
            if bounds is not None and foreign:
                raise self._undeclared(f"reads rows of {', '.join(sorted(foreign))} of {table}")
        return asked

    def _declared(self, table: str) -> Read:
        found = [read for read in self.declaration.reads if read.table == table]
        if any(output.table == table for output in self.declaration.outputs):
            own = (self.declaration.model,) if self.declaration.model else None
            return Read(table, own if not found else found[0].models and (*found[0].models, *(own or ())))
        if found:
            return found[0]
        if table in self.declaration.logs:
            return Read(table)
        raise self._undeclared(f"reads {table}")

    def _undeclared(self, what: str) -> UndeclaredAccess:
        return UndeclaredAccess(
            f"{self.declaration.stage} {what}, which it does not declare", cure="name it where the asset is declared"
        )


class Rows:
    """The rows that one step makes of the outputs that are wanted in this run; `n`: key of an output → rows made."""

    def __init__(self, outputs: Sequence[Output], access: Access) -> None:
        """Write nothing yet."""
        self._outputs, self._access, self._lake = outputs, access, access.lake
        self.n = dict.fromkeys((output.key for output in outputs), 0)
        self._waiting: dict[str, list[pd.DataFrame]] = {}

    def keep(self, ticker: str, tables: Mapping[str, pd.DataFrame], *, unchanged: Collection[str] = ()) -> None:
        """Write a ticker's rows by table; those of append-only tables wait for `append_kept`.

        Schemes that are `unchanged` are stored already, as they are. Where rows do not fit (ContractViolation,
        UndeclaredAccess), nothing is written.
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
        return {"ticker": ticker} | ({"model": str(self._access.declaration.model)} if is_of_a_model else {})
