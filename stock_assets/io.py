"""The IO manager: a thin shell on storage. Writes a partition to the lake, publishes it, and reads partitions back."""

from typing import Any

import dagster as dg
import pandas as pd

from stock_assets.lineage import ticker_health
from stock_assets.resources import Warehouse
from storage.errors import ContractViolation
from storage.parquet import CURE_OF_DAMAGE
from storage.tables import TABLES


class LakeIOManager(dg.IOManager):
    """Stores an asset's frame in the table its metadata names, under the partition the asset and ticker make."""

    def __init__(self, warehouse: Warehouse) -> None:
        """Keep what assets return in `warehouse`."""
        self.warehouse = warehouse

    def handle_output(self, context: dg.OutputContext, obj: pd.DataFrame) -> None:
        """Write, publish, and show what was written."""
        with ticker_health(self.warehouse, context.partition_key, stage="/".join(context.asset_key.path)):
            self._write(context, obj)
            publication = self.warehouse.publish_step()
        context.add_output_metadata({"dagster/row_count": len(obj)})
        if publication is None:  # whoever made the run publishes, with those of other tickers
            return
        context.add_output_metadata({"published_generation": publication.generation})
        for file in publication.moved_aside:
            context.log.warning(f"someone's unfinished writes to warehouse.duckdb were moved to {file}")
        for file in publication.damaged:
            context.log.warning(f"{file} is damaged and was not published: {CURE_OF_DAMAGE}")

    def _write(self, context: dg.OutputContext, obj: pd.DataFrame) -> None:
        table = TABLES[context.definition_metadata["table"]]
        if table.append_only:
            self.warehouse.lake.append(table.name, obj, only_new=True)
        else:
            for more, rows in _by_scheme(context, obj):
                columns = tuple(name for name in table.partition_by if name not in more)
                self.warehouse.lake.write(table.name, rows, **self._partition(context, columns), **more)

    def load_input(self, context: dg.InputContext) -> pd.DataFrame:
        """Read the upstream asset's partition."""
        upstream = context.upstream_output
        if upstream is None:
            raise dg.DagsterInvariantViolationError("a lineage input always has an upstream asset")
        table = TABLES[upstream.definition_metadata["table"]]
        return self.warehouse.lake.read(table.name, **self._partition(context, ("ticker", *_model(upstream))))

    def _partition(self, context: Any, columns: tuple[str, ...]) -> dict[str, str]:
        values = {"ticker": context.partition_key, "model": context.asset_key.path[-1]}
        return {column: values[column] for column in columns}


# Not a ConfigurableIOManager: with a resource inside, Dagster infers the schema of its configuration again in each run.
@dg.io_manager(required_resource_keys={"warehouse"})
def lake_io_manager(context: dg.InitResourceContext) -> LakeIOManager:
    """The IO manager of all tables, on the run's own warehouse."""
    return LakeIOManager(context.resources.warehouse)


def _by_scheme(context: dg.OutputContext, obj: pd.DataFrame) -> list[tuple[dict[str, str], pd.DataFrame]]:
    """The rows of each scheme that the asset is the writer of; a scheme without rows is emptied."""
    schemes = context.definition_metadata.get("schemes")
    if schemes is None:
        return [({}, obj)]
    foreign = set(obj["scheme"]).difference(schemes)
    if foreign:
        raise ContractViolation(
            f"{'/'.join(context.asset_key.path)} made rows of scheme {', '.join(sorted(foreign))}, and writes "
            f"{', '.join(schemes)}",
            cure="name the scheme where the asset is defined",
        )
    return [({"scheme": scheme}, obj[obj["scheme"] == scheme]) for scheme in schemes]


def _model(context: dg.OutputContext) -> tuple[str, ...]:
    return ("model",) if "model" in TABLES[context.definition_metadata["table"]].partition_by else ()
