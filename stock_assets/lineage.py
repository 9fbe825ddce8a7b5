"""What an asset declares: the tables it makes and the tables it reads. Its dependencies, schemas and checks follow.

What belongs here: declarations. What does not: Dagster's definitions made of them (`building.py`), running a body over
the tickers of a run (`wide.py`), and the bodies (`assets/`).
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import dagster as dg

from stock_assets.errors import StockAssetsError
from storage.tables import TABLES

OWNERS = ["team:forecasting"]
ABOUT_ALL = frozenset({"pooled_evaluation", "prices_fresh"})
"""Steps that look at every ticker of the home: where one fails, no ticker has."""
Body = Callable[..., Any]


@dataclass(frozen=True)
class Output:
    """A table, or one model's part of it, that an asset makes.

    The asset's `key` is for example `model/xgboost`; groups sort in the order of the lineage; `schemes` are those that
    the asset writes, of a table that is partitioned by scheme.
    """

    key: str
    table: str
    group: str
    description: str
    schemes: tuple[str, ...] = ()

    @property
    def asset_key(self) -> dg.AssetKey:
        """As Dagster writes it."""
        return dg.AssetKey(self.key.split("/"))


@dataclass(frozen=True)
class Read:
    """A table that an asset reads, and of which models and schemes; None: of all there are."""

    table: str
    models: tuple[str, ...] | None = None
    schemes: tuple[str, ...] | None = None

    def is_of(self, output: Output, model: str | None) -> bool:
        """Whether rows that `output` of an asset about `model` makes are among those read."""
        return (
            self.table == output.table
            and (self.models is None or model is None or model in self.models)
            and (self.schemes is None or not output.schemes or bool(set(self.schemes) & set(output.schemes)))
        )


@dataclass(frozen=True)
class Declaration:
    """One step of the lineage.

    Attributes:
        outputs: what it makes, the main one first; later ones may depend on earlier ones.
        reads: what it reads beside its own earlier rows.
        logs: append-only tables of no asset that it adds rows to.
        kinds: labels in Dagster's UI.
        model: the model it is about, if it is about one.
        is_required: whether a ticker for which it fails is taken out of the run. Where a model fails, only its rows are
            missing.
        is_divisible: whether outputs may be made without the others.
        at_once: tickers that the body is called with: 1, or more for a vectorised body.
        body: makes the rows.
    """

    outputs: tuple[Output, ...]
    reads: tuple[Read, ...]
    body: Body
    logs: tuple[str, ...] = ()
    kinds: frozenset[str] = field(default_factory=frozenset)
    model: str | None = None
    is_required: bool = True
    is_divisible: bool = False
    at_once: int = 1

    @property
    def stage(self) -> str:
        """What failures and progress call it."""
        return self.outputs[0].key


def lineage_asset(
    *outputs: Output,
    reads: Sequence[Read | str] = (),
    logs: Sequence[str] = (),
    kinds: Sequence[str] = (),
    model: str | None = None,
    is_required: bool = True,
    is_divisible: bool = False,
    at_once: int = 1,
) -> Callable[[Body], Declaration]:
    """Declare a step; its body is the decorated function. See `Declaration`, and `wide.py` for what a body is given."""

    def declare(body: Body) -> Declaration:
        as_reads = tuple(read if isinstance(read, Read) else Read(read) for read in reads)
        labels = frozenset(kinds)
        return Declaration(outputs, as_reads, body, tuple(logs), labels, model, is_required, is_divisible, at_once)

    return declare


@contextmanager
def in_one_line() -> Iterator[None]:
    """Make a `StockAssetsError` a `dagster.Failure` with its line and cure, which a rerun by itself does not change."""
    try:
        yield
    except StockAssetsError as error:
        parts = {"problem": error.problem, "cure": error.cure}
        raise dg.Failure(str(error), metadata=parts, allow_retries=False) from error


def column_schema(table: str) -> dg.TableSchema:
    """The contract of a table, as Dagster shows it."""
    return dg.TableSchema(
        columns=[
            dg.TableColumn(
                name=column.name,
                type=column.type,
                description=f"{column.meaning} [{column.unit}]" if column.unit else column.meaning,
                constraints=dg.TableColumnConstraints(nullable=column.nullable),
            )
            for column in TABLES[table].columns
        ]
    )
