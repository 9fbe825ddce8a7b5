"""What sensors share: what they know of each ticker, what was made since their last tick, how they ask for runs.

Dagster's own asset sensor looks at the newest event only, and so would miss all but one of several markets.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from typing import Any

import dagster as dg
import pandas as pd

from stock_assets.checks import first_lines
from stock_assets.forecasting.manifest import digest
from stock_assets.forecasting.updates import Listed
from stock_assets.health import Failure
from stock_assets.partitions import MARKETS
from stock_assets.resources import PriceSource, Warehouse
from stock_assets.universe import choose_tickers
from storage import queries
from storage.errors import NothingPublished
from storage.published import Reader

_AT_A_TIME = 200  # materialisations


@dataclass(frozen=True)
class Materialized:
    """One materialisation of one market's partition by a run, of `tickers` whose rows were made.

    `marks`: name → ticker → what the step marked there (`Made.marks`).
    """

    market: str
    run_id: str
    tickers: tuple[str, ...]
    marks: Mapping[str, Mapping[str, Any]]


def listed_tickers(warehouse: Warehouse, *, log: Callable[[str], object]) -> list[Listed]:
    """Every ticker of the universe that has bars, from the published database.

    One whose source cannot say where it ends (its folder is gone, its file is broken), or whose exchange is not known,
    is left out, and `log` is told.
    """
    found: list[Listed] = []
    problems: list[str] = []
    open_once = cache(PriceSource().open)
    for row in published(warehouse, queries.newest_sessions).to_dict("records"):
        if pd.isna(row["calendar"]):
            problems.append(f"{row['ticker']} is not updated: its exchange is not known before its first fetch")
            continue
        with excused(row["ticker"], "is not updated", problems):
            ends = open_once(None if pd.isna(row["source"]) else row["source"]).last_session(row["ticker"])
            found.append(Listed(row["ticker"], row["calendar"], row["newest_session"].date(), ends))
    tell(problems, log)
    return found


def published(warehouse: Warehouse, query: Callable[[Reader], pd.DataFrame]) -> pd.DataFrame:
    """Rows of the newest published database; none where nothing was published yet."""
    try:
        with Reader(warehouse.path) as reader:
            return query(reader)
    except NothingPublished:
        return pd.DataFrame()


@contextmanager
def excused(ticker: str, what: str, problems: list[str]) -> Iterator[None]:
    """What goes wrong with one ticker is put down as a problem, a line, and the others go on."""
    try:
        yield
    except Exception as error:  # noqa: BLE001 - each tick would fail for ever, and with it every ticker's updates
        problems.append(f"{ticker} {Failure.of(error, what).line}")


def tell(problems: list[str], log: Callable[[str], object]) -> None:
    """The first of many lines, and how many more there are."""
    for line in first_lines(problems):
        log(line)


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


def run_request(
    job: str, market: str, about: Mapping[str, str], *, key: str, tags: Mapping[str, str] | None = None
) -> dg.RunRequest:
    """One run of a job for the tickers of a market that need the same.

    `about` says by ticker what makes the request another one than an earlier one for the same ticker; the run key
    begins with `key`, for people, and a hash of `about` follows.
    """
    return dg.RunRequest(
        run_key=f"{key}:{digest(dict(about))[:8]}",
        job_name=job,
        partition_key=market,
        run_config={"resources": choose_tickers(sorted(about))},
        tags=dict(tags or {}),
    )


def requested(
    instance: dg.DagsterInstance, requests: Sequence[dg.RunRequest], *, cursor: str | None = None
) -> dg.SensorResult:
    """The requests, and partitions for markets that Dagster has not heard of."""
    markets = {request.partition_key for request in requests if request.partition_key is not None}
    missing = sorted(markets.difference(instance.get_dynamic_partitions(str(MARKETS.name))))
    return dg.SensorResult(
        run_requests=list(requests),
        cursor=cursor,
        dynamic_partitions_requests=[MARKETS.build_add_request(missing)] if missing else [],
    )
