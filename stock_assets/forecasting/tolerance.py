"""How far two answers of one fit may differ, asked alone, in a batch, or again."""

from stock_assets.forecasting.manifest import Manifest
from stock_assets.forecasting.models import discover

NETWORK_TOLERANCE = 1e-6
"""How far two predictions of one network may differ in log returns (4e-9 was measured): kernels add in any order."""


def tolerance_of(manifest: Manifest) -> float:
    """0, unless a network has a part in the fit."""
    models = discover()
    is_exact = all(models[name].is_exact for name in (manifest.model, *manifest.parents) if name in models)
    return 0.0 if is_exact else NETWORK_TOLERANCE
