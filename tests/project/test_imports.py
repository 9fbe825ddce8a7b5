"""Imports run one way: dashboard → storage, settings; assets → storage, sources, forecasting; the domain nobody."""

import pytest

from tests.project.sources import Module, modules

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


def _is_below(name: str, prefixes: tuple[str, ...]) -> bool:
    return any(name == prefix or name.startswith(f"{prefix}.") for prefix in prefixes)


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.file)
def test_a_module_imports_only_what_its_layer_may(module: Module) -> None:
    layer = next(prefix for prefix in MAY_IMPORT if _is_below(module.name, (prefix,)))
    allowed = (layer, *MAY_IMPORT[layer])
    wrong = [
        f"{module.file}:{line} imports {name}"
        for line, name in module.imports()
        if _is_below(name, OURS) and not _is_below(name, allowed)
    ]
    assert not wrong


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.file)
def test_only_the_lineage_and_the_command_line_know_dagster(module: Module) -> None:
    if _is_below(module.name, WITHOUT_DAGSTER):
        frameworks = [f"{module.file}:{line}" for line, name in module.imports() if name.startswith("dagster")]
        assert not frameworks


@pytest.mark.parametrize("module", modules("stock_assets/assets"), ids=lambda module: module.file)
def test_an_asset_does_not_reach_into_commands(module: Module) -> None:
    assert not [name for _, name in module.imports() if _is_below(name, ("stock_assets.cli",))]


@pytest.mark.parametrize("module", modules(), ids=lambda module: module.file)
def test_only_the_command_line_uses_its_libraries(module: Module) -> None:
    if not _is_below(module.name, ("stock_assets.cli",)):
        assert not [
            f"{module.file}:{line}" for line, name in module.imports() if name.split(".")[0] in ("typer", "rich")
        ]
