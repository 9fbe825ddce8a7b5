"""What sensors on assets share: every materialisation since the last tick, and the tickers it is about.

Dagster's own asset sensor looks at the newest event only, and so would miss all but one of several markets.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import dagster as dg

_AT_A_TIME = 200


@dataclass(frozen=True)
class Materialized:
    """One materialisation of one market's partition.

    Attributes:
        market: the partition.
        run_id: the run that made it.
        tickers: those whose rows were made.
        marks: name → ticker → what the step marked there (`Made.marks`).
    """

    market: str
    run_id: str
    tickers: tuple[str, ...]
    marks: Mapping[str, Mapping[str, Any]]


def materialized_since(instance: dg.DagsterInstance, asset: str, cursor: str | None) -> tuple[list[Materialized], str]:
    """An asset's materialisations after `cursor`, oldest first, and the cursor for the next tick.

    A first tick (no cursor) starts from now: what happened before the sensor was there is history.
    """
    key = dg.AssetKey(asset)
    if cursor is None:
        newest = instance.fetch_materializations(key, limit=1).records
        return [], str(newest[0].storage_id if newest else 0)
    filter_ = dg.AssetRecordsFilter(key, after_storage_id=int(cursor))
    records = instance.fetch_materializations(filter_, limit=_AT_A_TIME, ascending=True).records
    return list(_materialized(records)), str(records[-1].storage_id) if records else cursor


def _materialized(records: Iterable[dg.EventLogRecord]) -> Iterator[Materialized]:
    for record in records:
        event = record.asset_materialization
        if event is not None and event.partition is not None:
            stored = {name: value.value for name, value in event.metadata.items()}
            marks = {name: value for name, value in stored.items() if isinstance(value, dict)}
            tickers = stored.get("tickers")
            named = tuple(tickers) if isinstance(tickers, list) else ()
            yield Materialized(event.partition, record.run_id, named, marks)
