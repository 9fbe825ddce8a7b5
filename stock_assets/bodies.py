"""What the body of a step is given, and what it gives back.

What belongs here: the view of one ticker, or of several for a vectorised body. What does not: running bodies over the
tickers of a run (`wide.py`), and which tables they may touch (`access.py`).
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dagster as dg
import pandas as pd

from stock_assets import health
from stock_assets.forecasting.findings import Finding
from storage.errors import InvalidTicker

if TYPE_CHECKING:
    from stock_assets.wide import Step


@dataclass(frozen=True)
class Made:
    """What a body made of one ticker.

    Attributes:
        tables: table → its rows.
        findings: what checks found in them.
        notes: what people look at: metadata of the asset.
        marks: numbers that sensors act on, by name; 0 marks nothing.
        status: what the ticker is from now on: fetched or ok; None: as it was.
        unchanged: schemes whose rows are stored already, as they are, and need not be written again.
    """

    tables: Mapping[str, pd.DataFrame]
    findings: Sequence[Finding] = ()
    notes: Mapping[str, Any] = field(default_factory=dict)
    marks: Mapping[str, int] = field(default_factory=dict)
    status: str | None = None
    unchanged: tuple[str, ...] = ()


class OneTicker:
    """What a body is given: a ticker, the tables its asset declares, and somebody to talk to.

    In the folder `home` is all state, in `store` model artifacts; `context` and `run_id` are Dagster's.
    """

    def __init__(self, ticker: str, step: "Step") -> None:
        """Read nothing yet."""
        self.ticker, self._step = ticker, step
        self.home, self.store = step.warehouse.path, step.warehouse.models
        self.context, self.run_id = step.context, str(step.context.run.run_id)

    def read(self, table: str, **where: Any) -> pd.DataFrame:
        """The ticker's rows of a declared table (else UndeclaredAccess), of the models and schemes declared."""
        return self._step.access.read(table, self.ticker, where)

    def makes(self, table: str) -> bool:
        """Whether rows of this table are wanted in this run."""
        return any(output.table == table for output in self._step.outputs)

    @property
    def calendar(self) -> str:
        """Its exchange's calendar; `InvalidTicker` where the ticker is not in the universe."""
        facts = self._step.access.facts(self.ticker)
        if facts is None:
            cure = f"fetch it first: stock-assets run --ticker {self.ticker}"
            raise InvalidTicker(f"{self.ticker} is not in the universe", cure=cure)
        return str(facts["calendar"])

    @property
    def chosen_source(self) -> str | None:
        """The source that was chosen for it; None where none was, or it is not in the universe yet."""
        facts = self._step.access.facts(self.ticker)
        return facts["source"] if facts else None

    def learn(self, **known: str) -> None:
        """Write down what is known: calendar, currency, source. It is in the universe from then on."""
        facts = self._step.access.facts(self.ticker)
        if facts is None or any(facts[name] != value for name, value in known.items()):
            health.learn(self._step.lake, self.ticker, **known)

    def pictures(self, **draw: Callable[[], str]) -> dict[str, dg.MetadataValue]:
        """Markdown for people, drawn only where the run is about this ticker alone: of many nobody sees it."""
        is_alone = len(self._step.asked) == 1
        return {name: dg.MetadataValue.md(markdown()) for name, markdown in draw.items()} if is_alone else {}

    def say(self, message: str) -> None:
        """A word of progress."""
        self._step.say(self.ticker, message)

    def warn(self, message: str) -> None:
        """Something that people should hear of."""
        self._step.warn(f"{self.ticker}: {message}")


class Tickers:
    """What a vectorised body is given: several tickers at once."""

    def __init__(self, ones: Sequence[OneTicker]) -> None:
        """Of the tickers of one step."""
        self.ones = ones

    def read(self, table: str, **where: Any) -> pd.DataFrame:
        """The rows of all of them."""
        return pd.concat([one.read(table, **where) for one in self.ones], ignore_index=True)
