"""The partitions of the lineage: markets, which close, are updated and can be late as one. A run has the tickers."""

from collections.abc import Iterable

import dagster as dg

MARKET_TAG = "dagster/partition"
"""Dagster's tag of a run that names its partition, which here is the market."""
MARKETS = dg.DynamicPartitionsDefinition(name="market")


def sync_partitions(instance: dg.DagsterInstance, markets: Iterable[str]) -> list[str]:
    """Make a partition of every market that has none yet and return those. None is ever taken away here."""
    known = set(instance.get_dynamic_partitions(str(MARKETS.name)))
    missing = sorted(set(markets) - known)
    if missing:
        instance.add_dynamic_partitions(str(MARKETS.name), missing)
    return missing
