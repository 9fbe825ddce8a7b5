"""Content addresses: the hash of what went into a fit, or into a search before it, by which it is known."""

import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stock_assets.forecasting.features import features_version
from stock_assets.forecasting.manifest import digest, hash_rows, library_versions, major
from stock_assets.forecasting.models import Forecaster
from stock_assets.forecasting.models import __path__ as models_path

Rows = NDArray[np.intp]
"""Positions in a history."""


def address(
    forecaster: Forecaster, known: pd.DataFrame, rows: Rows, *, ticker: str, kind: str, inputs: Mapping[str, Any]
) -> str:
    """Content address of work on training rows: of a fit, or of a search before it.

    Args:
        known: the history up to the last of `rows`.
        rows: positions of the training labels in it, ascending.
        kind: which work.
        inputs: what else it depends on, JSON-able.
    """
    libraries = library_versions(forecaster.libraries)
    return digest(
        {
            "ticker": ticker,
            "model": forecaster.name,
            "kind": kind,
            "settings": forecaster.settings(),
            "data": hash_rows(known),
            "first_session": f"{known['session'].iloc[rows[0]]:%Y-%m-%d}",
            "code": code_version(forecaster),
            "features": used_features_version(forecaster),
            "libraries": {name: major(number) for name, number in libraries.items()},
            **inputs,
        }
    )


def used_features_version(forecaster: Forecaster) -> str | None:
    """Hash of the feature formulas, for a model whose inputs they are."""
    return features_version() if forecaster.uses_features else None


def code_version(forecaster: Forecaster) -> str:
    """Hash of the source that makes a fit: the model's file, what models share, and how they are calibrated."""
    shared = [path for folder in models_path for path in Path(folder).glob("_*.py")]
    model = sys.modules[type(forecaster).__module__]
    here = Path(__file__).parent
    modules = (
        here / f"{name}.py" for name in ("intervals", "out_of_sample", "shrinkage", "volatility", "training", "units")
    )
    files = [*shared, Path(str(model.__file__)), *modules]
    return digest({path.name: path.read_text() for path in files})
