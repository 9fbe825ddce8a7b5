"""Runs that Dagster knows of and that nobody has executed."""

from collections.abc import Sequence
from uuid import uuid4

import dagster as dg

from stock_assets.partitions import MARKET_TAG
from stock_assets.universe import choose_tickers


def add_run(
    instance: dg.DagsterInstance,
    job: str,
    tickers: Sequence[str],
    *,
    market: str = "XNYS",
    status: dg.DagsterRunStatus = dg.DagsterRunStatus.STARTED,
) -> dg.DagsterRun:
    """A run for some tickers; none named: for all of its market."""
    config = {"resources": choose_tickers(tickers)} if tickers else {}
    run = dg.DagsterRun(job, run_id=str(uuid4()), run_config=config, tags={MARKET_TAG: market}, status=status)
    return instance.add_run(run)
