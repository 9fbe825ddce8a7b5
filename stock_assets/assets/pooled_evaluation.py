"""Each model over all tickers at once, of every market: the one asset without partitions."""

from collections.abc import Callable, Iterator

import dagster as dg
import pandas as pd

from stock_assets.clock import Clock
from stock_assets.forecasting.ensembles import model_names
from stock_assets.forecasting.pooled import as_markdown, pool, session_sums
from stock_assets.lineage import OWNERS, column_schema, in_one_line
from stock_assets.resources import Warehouse
from storage.errors import ContractViolation
from storage.lake import Lake
from storage.tables import TABLES

_TABLE = TABLES["pooled_evaluation"]
_TICKERS_AT_ONCE = 25


@dg.asset(
    group_name="5_evaluation",
    kinds={"duckdb", "pandas"},
    owners=OWNERS,
    description="Clark-West of each model over all tickers, errors clustered by session, and on how many tickers it "
    "survives Benjamini-Hochberg.",
    metadata={"table": _TABLE.name, "dagster/column_schema": column_schema(_TABLE.name), "key": ", ".join(_TABLE.key)},
    deps=[
        dg.AssetKey("evaluation"),
        *(dg.AssetKey([stage, name]) for stage in ("predictions", "backtest") for name in model_names()),
    ],
)
def pooled_evaluation(
    context: dg.AssetExecutionContext, warehouse: Warehouse, clock: Clock
) -> dg.MaterializeResult[None]:
    """Pool what is stored of every ticker, whether it was evaluated today or earlier."""
    with in_one_line():
        lake = warehouse.lake
        evaluation, sums = _read(lake, context.log.warning)
        table = pool(sums, evaluation, evaluated_at=clock.now())
        for partition in lake.partitions(_TABLE.name):
            if partition["scheme"] not in set(table["scheme"]):
                lake.delete(_TABLE.name, **partition)
        for scheme, rows in table.groupby("scheme"):
            lake.write(_TABLE.name, rows, scheme=str(scheme))
        warehouse.publish_later(context.log.warning)
    tickers = evaluation["ticker"].nunique()
    context.log.info(f"{tickers} ticker{'s' if tickers != 1 else ''} pooled")
    pooled = dg.MetadataValue.md(as_markdown(table))
    return dg.MaterializeResult(metadata={"dagster/row_count": len(table), "pooled": pooled})


def _read(lake: Lake, warn: Callable[[str], object]) -> tuple[pd.DataFrame, list[pd.DataFrame]]:
    """Rows of `evaluation`, and what pooling needs of the predictions. Tickers with a damaged file are left out."""
    tickers = sorted(partition["ticker"] for partition in lake.partitions("evaluation"))
    evaluation, sums = [], []
    for first in range(0, len(tickers), _TICKERS_AT_ONCE):
        for scored, predictions in _rows(lake, tickers[first : first + _TICKERS_AT_ONCE], warn):
            evaluation.append(scored)
            sums.append(session_sums(predictions, scored))
    return pd.concat([lake.read("evaluation", ticker=[]), *evaluation], ignore_index=True), sums


def _rows(lake: Lake, tickers: list[str], warn: Callable[[str], object]) -> Iterator[tuple[pd.DataFrame, pd.DataFrame]]:
    try:
        asked: dict[str, list[str]] = {"ticker": tickers, "model": list(model_names())}
        yield lake.read("evaluation", **asked), lake.read("predictions", **asked)
    except ContractViolation as error:
        if len(tickers) == 1:
            warn(f"{tickers[0]} is not pooled: {error}")
            return
        for ticker in tickers:
            yield from _rows(lake, [ticker], warn)
