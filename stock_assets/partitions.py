"""The partitions of the lineage: tickers, dynamic, rebuilt from the table `tickers`, which is the truth."""

from collections.abc import Iterable

import dagster as dg

PARTITION_TAG = "dagster/partition"
"""Dagster's tag of a run that names its partition, which here is the ticker."""
TICKERS = dg.DynamicPartitionsDefinition(name="ticker")


def sync_partitions(instance: dg.DagsterInstance, tickers: Iterable[str]) -> list[str]:
    """Make a partition of every ticker that has none yet and return those. None is ever taken away here."""
    known = set(instance.get_dynamic_partitions(str(TICKERS.name)))
    missing = sorted(set(tickers) - known)
    if missing:
        instance.add_dynamic_partitions(str(TICKERS.name), missing)
    return missing
