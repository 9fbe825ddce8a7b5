"""What every asset of the lineage shares: ticker partitions, owner, column schema, and a ticker's health on failure."""

import functools
import inspect
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

import dagster as dg
import pandas as pd

from stock_assets.checks import check_specs
from stock_assets.errors import StockAssetsError
from stock_assets.partitions import TICKERS
from stock_assets.resources import Warehouse
from storage.errors import InvalidTicker
from storage.lake import Lake
from storage.tables import TABLES
from storage.tickers import validate_ticker

OWNERS = ["team:forecasting"]


def lineage_asset(
    *,
    table: str,
    group: str,
    kinds: set[str],
    key: Sequence[str],
    description: str,
    ins: Mapping[str, dg.AssetIn] | None = None,
    deps: Sequence[dg.AssetKey] | None = None,
    schemes: Sequence[str] | None = None,
) -> Callable[[Callable[..., Any]], dg.AssetsDefinition]:
    """`dg.asset` for a function of (context, inputs…, warehouse, …) that returns the ticker's rows of `table`.

    `schemes` names the schemes whose rows the asset writes, where a table is partitioned by scheme.

    A `StockAssetsError` becomes one red line with its cure; whatever goes wrong is also written to the table `tickers`.
    """
    contract = TABLES[table]

    def decorate(function: Callable[..., Any]) -> dg.AssetsDefinition:
        @functools.wraps(function)
        def guarded(context: dg.AssetExecutionContext, *inputs: Any, warehouse: Warehouse, **more: Any) -> Any:
            with ticker_health(warehouse, context.partition_key, stage="/".join(key)):
                return function(context, *inputs, warehouse=warehouse, **more)

        # Dagster wants no return annotation where check results come with the value.
        bare = inspect.signature(function).replace(return_annotation=inspect.Signature.empty)
        guarded.__signature__ = bare  # type: ignore[attr-defined]
        return dg.asset(
            key=key,
            partitions_def=TICKERS,
            group_name=group,
            kinds={"duckdb", *kinds},
            owners=OWNERS,
            description=description,
            metadata={
                "table": table,
                "dagster/column_schema": column_schema(table),
                "key": ", ".join(contract.key),
                **({"schemes": list(schemes)} if schemes else {}),
            },
            check_specs=check_specs(key),
            ins=ins,
            deps=deps,
        )(guarded)

    return decorate


@contextmanager
def ticker_health(warehouse: Warehouse, ticker: str, *, stage: str) -> Iterator[None]:
    """Refuse hostile names; on any failure write status and reason to `tickers`, then let it fail.

    Raises:
        dagster.Failure: instead of a `StockAssetsError`, so that the run shows one line rather than a trace.
    """
    with in_one_line():
        validate_ticker(ticker)
        with _recorded(warehouse, ticker, stage):
            yield


@contextmanager
def in_one_line() -> Iterator[None]:
    """Make a `StockAssetsError` a failure that shows its line and cure, and that a rerun by itself does not change.

    Raises:
        dagster.Failure: instead of a `StockAssetsError`.
    """
    try:
        yield
    except StockAssetsError as error:
        parts = {"problem": error.problem, "cure": error.cure}
        raise dg.Failure(str(error), metadata=parts, allow_retries=False) from error


@contextmanager
def _recorded(warehouse: Warehouse, ticker: str, stage: str) -> Iterator[None]:
    finished, reason = False, f"{stage} was interrupted or hit a bug — run it again; the run's log says more"
    try:
        yield
        finished = True
    except (StockAssetsError, dg.Failure) as error:
        reason = f"{stage}: {error}"
        raise
    finally:
        # Bugs and interruptions pass through here too: a ticker is never left looking well.
        if not finished:
            record_status(warehouse.lake, ticker, "failed", reason=reason)
            warehouse.publish_step()


def record_status(lake: Lake, ticker: str, status: str, *, reason: str | None = None, **facts: str) -> None:
    """Update a ticker's row: its status, its reason (None clears it) and any of calendar, currency, source."""
    stored = lake.read("tickers", ticker=ticker)
    row = {name: stored[name].iloc[0] if len(stored) else None for name in TABLES["tickers"].column_names}
    now = pd.Timestamp(datetime.now(UTC)).tz_convert("UTC")
    row |= {"ticker": ticker, "status": status, "reason": reason, "updated_at": now} | facts
    lake.write("tickers", pd.DataFrame([row]), ticker=ticker)


def record_facts(lake: Lake, ticker: str, **facts: str) -> None:
    """Update what is known of a ticker (calendar, currency, source); how it fares stays as it was."""
    stored = lake.read("tickers", ticker=ticker)
    status, reason = (stored[name].iloc[0] for name in ("status", "reason")) if len(stored) else ("added", None)
    record_status(lake, ticker, status, reason=reason, **facts)


def ticker_facts(lake: Lake, ticker: str) -> dict[str, Any]:
    """The ticker's row of `tickers`.

    Raises:
        InvalidTicker: when it has none.
    """
    stored = lake.read("tickers", ticker=ticker)
    if stored.empty:
        raise InvalidTicker(f"{ticker} is not in the table tickers", cure="materialise raw_prices first")
    return {str(name): value for name, value in stored.iloc[0].to_dict().items()}


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
