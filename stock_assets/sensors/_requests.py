"""How sensors ask for runs: one run for all the tickers of a market that need the same."""

from collections.abc import Iterable, Mapping, Sequence

import dagster as dg

from stock_assets.forecasting.manifest import digest
from stock_assets.partitions import MARKETS
from stock_assets.universe import choose_tickers


def run_request(
    job: str, market: str, about: Mapping[str, str], *, key: str, tags: Mapping[str, str] | None = None
) -> dg.RunRequest:
    """One run of a job for some tickers of a market.

    Args:
        job: its name.
        market: calendar of the tickers.
        about: ticker → what makes the request another one than an earlier one for the same ticker.
        key: beginning of the run key, for people; a hash of `about` follows.
        tags: of the run.
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
    known = set(instance.get_dynamic_partitions(str(MARKETS.name)))
    missing = sorted(_markets(requests) - known)
    return dg.SensorResult(
        run_requests=list(requests),
        cursor=cursor,
        dynamic_partitions_requests=[MARKETS.build_add_request(missing)] if missing else [],
    )


def _markets(requests: Iterable[dg.RunRequest]) -> set[str]:
    return {request.partition_key for request in requests if request.partition_key is not None}
