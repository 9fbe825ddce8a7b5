"""What sensors on assets share: every materialisation since the last tick, and which tickers are being worked on.

Dagster's own asset sensor looks at the newest event only, and so would miss all but one of many tickers.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import dagster as dg

from stock_assets.partitions import PARTITION_TAG
from stock_assets.runs import UNFINISHED

_AT_A_TIME = 200


@dataclass(frozen=True)
class Materialized:
    """One materialisation of one ticker's partition."""

    ticker: str
    run_id: str
    at: float
    metadata: Mapping[str, object]


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
    found = list(_materialized(records))
    return found, str(records[-1].storage_id) if records else cursor


def busy_tickers(instance: dg.DagsterInstance) -> set[str]:
    """Tickers with a run that is queued or under way."""
    records = instance.get_run_records(dg.RunsFilter(statuses=[dg.DagsterRunStatus.QUEUED, *UNFINISHED]))
    return {record.dagster_run.tags.get(PARTITION_TAG, "") for record in records}


def _materialized(records: Iterable[dg.EventLogRecord]) -> Iterator[Materialized]:
    for record in records:
        event = record.asset_materialization
        if event is not None and event.partition is not None:
            metadata = {name: value.value for name, value in event.metadata.items()}
            yield Materialized(event.partition, record.run_id, record.timestamp, metadata)
