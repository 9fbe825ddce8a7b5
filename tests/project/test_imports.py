"""Imports run one way: dashboard → storage, settings; assets → storage, sources, forecasting; the domain nobody."""

from tests.project.sources import Module, assert_none, modules

LEAVES = ("stock_assets.errors", "stock_assets.durable", "stock_assets.settings")
# First matching prefix decides. Each may import itself and what is listed, of our own packages.
MAY_IMPORT: dict[str, tuple[str, ...]] = {
    "stock_assets.errors": (),
    "stock_assets.durable": (),
    "stock_assets.settings": ("stock_assets.errors",),
    "stock_assets.forecasting": LEAVES,
    "stock_assets.sources": (*LEAVES, "stock_assets.forecasting", "storage.tickers"),
    "storage": (*LEAVES, "stock_assets.forecasting.features"),
    "dashboard": (*LEAVES, "storage"),
    "stock_assets.assets": ("stock_assets", "storage"),
    "stock_assets.cli.dashboard": ("stock_assets", "storage", "dashboard"),
    "stock_assets.cli": ("stock_assets", "storage"),
    "stock_assets": ("stock_assets", "storage"),
}
WITHOUT_DAGSTER = (*LEAVES, "stock_assets.forecasting", "stock_assets.sources", "storage", "dashboard")
OURS = ("stock_assets", "storage", "dashboard")
PRIVATE_TO_DAGSTER = "stock_assets/dagster_storage.py"


def _is_below(name: str, prefixes: tuple[str, ...]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


def _allowed(module: Module) -> tuple[str, ...]:
    layer = next(prefix for prefix in MAY_IMPORT if _is_below(module.name, (prefix,)))
    return layer, *MAY_IMPORT[layer]


def test_a_module_imports_only_what_its_layer_may() -> None:
    assert_none(
        f"{module.at(line)} imports {name}"
        for module in modules()
        for line, name in module.imports
        if _is_below(name, OURS) and not _is_below(name, _allowed(module))
    )


def test_only_the_lineage_and_the_command_line_know_dagster() -> None:
    assert_none(
        f"{module.at(line)} imports {name}"
        for module in modules()
        if _is_below(module.name, WITHOUT_DAGSTER)
        for line, name in module.imports
        if name.startswith("dagster")
    )


def test_an_asset_does_not_reach_into_commands() -> None:
    assert_none(
        f"{module.at(line)} imports {name}"
        for module in modules("stock_assets/assets")
        for line, name in module.imports
        if _is_below(name, ("stock_assets.cli",))
    )


def test_only_the_command_line_uses_its_libraries() -> None:
    assert_none(
        f"{module.at(line)} imports {name}"
        for module in modules()
        if not _is_below(module.name, ("stock_assets.cli",))
        for line, name in module.imports
        if name.split(".")[0] in ("typer", "rich")
    )


def test_what_dagster_keeps_private_is_imported_in_one_file_and_each_time_says_why() -> None:
    # Private names change without notice. A comment at the end of the line or in the line above says why one is needed.
    assert_none(
        f"{module.at(line)} imports {name}"
        for module in modules(*OURS, "benchmarks", "docs")
        for line, name in module.imports
        if _is_private_to_dagster(name) and not (module.file == PRIVATE_TO_DAGSTER and _says_why(module, line))
    )


def _is_private_to_dagster(name: str) -> bool:
    package, *below = name.split(".")
    return package.split("_")[0] == "dagster" and any(part.startswith("_") for part in below)


def _says_why(module: Module, line: int) -> bool:
    lines = module.text.splitlines()
    return "  # " in lines[line - 1] or lines[line - 2].startswith("# ")
