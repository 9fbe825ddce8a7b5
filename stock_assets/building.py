"""Dagster's definitions, made of what assets declare: who reads a table depends on everybody who writes it."""

import inspect
from collections.abc import Iterator, Sequence
from typing import Any

import dagster as dg

from stock_assets.checks import check_specs
from stock_assets.lineage import OWNERS, Declaration, Output, column_schema, in_one_line
from stock_assets.partitions import MARKETS
from stock_assets.resources import Universe, Warehouse
from stock_assets.wide import Step
from stock_assets.workers import Workers
from storage.tables import TABLES


def build_assets(declarations: Sequence[Declaration]) -> list[dg.AssetsDefinition]:
    """Dagster's definitions of a lineage: who reads a table depends on everybody who writes it."""
    return [_build(declaration, declarations) for declaration in declarations]


def _build(declaration: Declaration, lineage: Sequence[Declaration]) -> dg.AssetsDefinition:
    own = list(inspect.signature(declaration.body).parameters.items())[1:]
    resources = {name: parameter.annotation for name, parameter in own}
    if inspect.isgeneratorfunction(declaration.body):
        resources["workers"] = Workers

    def step(context: dg.AssetExecutionContext, **given: Any) -> Iterator[dg.MaterializeResult[None]]:
        with in_one_line():
            yield from Step(declaration, context, **given).results()

    # Dagster finds the resources of a step by the names and types of its parameters.
    wanted = {"context": dg.AssetExecutionContext, "warehouse": Warehouse, "universe": Universe, **resources}
    by_name = inspect.Parameter.POSITIONAL_OR_KEYWORD
    parameters = [inspect.Parameter(name, by_name, annotation=kind) for name, kind in wanted.items()]
    step.__signature__ = inspect.Signature(parameters)  # type: ignore[attr-defined]
    step.__annotations__ = dict(wanted)
    return dg.multi_asset(
        name=declaration.stage.replace("/", "__"),
        specs=[_spec(declaration, output, lineage) for output in declaration.outputs],
        check_specs=[check for output in declaration.outputs for check in check_specs(output.key)],
        partitions_def=MARKETS,
        can_subset=declaration.is_divisible,
    )(step)


def _spec(declaration: Declaration, output: Output, lineage: Sequence[Declaration]) -> dg.AssetSpec:
    table = TABLES[output.table]
    return dg.AssetSpec(
        output.asset_key,
        deps=sorted(_upstream(declaration, output, lineage)),
        group_name=output.group,
        kinds={"duckdb", *declaration.kinds},
        owners=OWNERS,
        description=output.description,
        metadata={
            "table": output.table,
            "dagster/column_schema": column_schema(output.table),
            "key": ", ".join(table.key),
            **({"schemes": list(output.schemes)} if output.schemes else {}),
        },
    )


def _upstream(declaration: Declaration, output: Output, lineage: Sequence[Declaration]) -> set[dg.AssetKey]:
    own = declaration.outputs[: declaration.outputs.index(output)]
    others = {
        other.asset_key
        for step in lineage
        if step is not declaration
        for other in step.outputs
        if any(read.is_of(other, step.model) for read in declaration.reads)
    }
    return others | {earlier.asset_key for earlier in own}
