"""The tables a body may read and make: those its asset declares. Everything else is refused while it runs."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import pandas as pd

from stock_assets.errors import StockAssetsError
from stock_assets.forecasting.ensembles import model_names
from stock_assets.lineage import Declaration, Read
from storage.lake import Lake
from storage.names import find_table


class UndeclaredAccess(StockAssetsError):
    """A body asked for a table, or made rows of one, that its asset does not declare."""


class Access:
    """What one step may read and make.

    Args:
        declaration: of the step.
        lake: where the rows are.
    """

    def __init__(self, declaration: Declaration, lake: Lake) -> None:
        """Read nothing yet."""
        self.declaration, self.lake = declaration, lake
        self._chunk: tuple[str, ...] = ()
        self._read: dict[tuple[str, str], dict[str, pd.DataFrame] | None] = {}

    def work_on(self, tickers: Sequence[str]) -> None:
        """From now on these are asked for, together."""
        self._chunk, self._read = tuple(tickers), {}

    def read(self, table: str, ticker: str, where: Mapping[str, Any]) -> pd.DataFrame:
        """A ticker's rows of a declared table.

        Raises:
            UndeclaredAccess: the table, or rows of such models or schemes, are not declared.
        """
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
        """Refuse rows of tables that the asset does not declare to make.

        Raises:
            UndeclaredAccess: naming the first.
        """
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
