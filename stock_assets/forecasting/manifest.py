"""What is written down about every fit, and the hashes that address it. Files are not touched here (`artifacts.py`)."""

import hashlib
import json
from dataclasses import dataclass
from functools import cache
from importlib.metadata import version as installed_version
from typing import Any, Literal

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stock_assets.forecasting.shrinkage import Shrinkage

Kind = Literal["evaluated", "final", "backtest"]
_FACTOR = np.uint64(0x9E3779B97F4A7C15)  # odd, so that it has an inverse modulo 2 ** 64
_INVERSE = np.uint64(pow(int(_FACTOR), -1, 2**64))
_BAR_NUMBERS = ("open", "high", "low", "close", "adj_close", "volume", "dividends", "stock_splits")
KINDS_IN_USE: tuple[Kind, ...] = ("evaluated", "final")
"""Kinds that `current.json` points at; the fits of a backtest are named by `backtest_folds`."""


@dataclass(frozen=True)
class Manifest:
    """Everything that tells one fit from another.

    Attributes:
        version: content address of the fit: data, code, settings, seed, kind and libraries' major versions.
        kind: evaluated (fitted on train rows only), final (on all labelled rows) or backtest (on those of one fold).
        settings: hyper-parameters, seed and target included.
        libraries: distribution → version it was fitted with.
        data_version: hash of the rows it was fitted on.
        code_version: hash of the source files that made it.
        features_version: hash of the feature formulas; None for a model that does not use them.
        train_start: first session whose label was used, ISO date.
        train_end: last session whose label was used, ISO date.
        n_train: labelled sessions used.
        splits: role → [first session, last session, sessions], as they stood.
        shrinkage: see `Shrinkage`; None where predictions are used as they are.
        interval_quantiles: level → half width of the interval in units of volatility.
        parents: model → version of the stored fits it combines; empty for a model that learns from bars.
        fitted_at: end of the fit, ISO time in UTC.
        fit_seconds: wall time of the fit.
        files: file name → SHA-256.
    """

    ticker: str
    model: str
    version: str
    kind: Kind
    seed: int
    target: str
    settings: dict[str, Any]
    libraries: dict[str, str]
    data_version: str
    code_version: str
    features_version: str | None
    train_start: str
    train_end: str
    n_train: int
    splits: dict[str, list[Any]]
    shrinkage: dict[str, float] | None
    interval_quantiles: dict[str, float]
    parents: dict[str, str]
    fitted_at: str
    fit_seconds: float
    files: dict[str, str]

    @property
    def artifact_hash(self) -> str:
        """Hash over the artifact's files."""
        return digest(self.files)

    @property
    def shrink(self) -> float:
        """Factor that the model's raw predictions are multiplied by."""
        return 1.0 if self.shrinkage is None else Shrinkage.from_json(self.shrinkage).coefficient


def table_row(manifest: Manifest) -> dict[str, Any]:
    """The row of table `models`; `mlflow_run_id` and `run_id` are None, for whoever tracks and runs the fit."""
    return {
        "ticker": manifest.ticker,
        "model": manifest.model,
        "version": manifest.version,
        "kind": manifest.kind,
        "train_start": pd.Timestamp(manifest.train_start),
        "train_end": pd.Timestamp(manifest.train_end),
        "n_train": manifest.n_train,
        "data_version": manifest.data_version,
        "code_version": manifest.code_version,
        "artifact_hash": manifest.artifact_hash,
        "seed": manifest.seed,
        "target": manifest.target,
        "hyper_parameters": json.dumps(manifest.settings, sort_keys=True),
        "libraries": json.dumps(manifest.libraries, sort_keys=True),
        "fitted_at": pd.Timestamp(manifest.fitted_at),
        "fit_seconds": manifest.fit_seconds,
        "mlflow_run_id": None,
        "run_id": None,
    }


def boundaries(history: pd.DataFrame, role: NDArray[np.object_]) -> dict[str, list[Any]]:
    """Role → [first session, last session, sessions], as a manifest holds them."""
    session = history["session"].dt.strftime("%Y-%m-%d")
    found = {}
    for name in ("train", "validation", "test"):
        rows = np.flatnonzero(role == name)
        if len(rows):
            found[name] = [session.iloc[rows[0]], session.iloc[rows[-1]], len(rows)]
    return found


def library_versions(names: tuple[str, ...]) -> dict[str, str]:
    """Installed version of each distribution."""
    return {name: _version(name) for name in names}


_version = cache(installed_version)  # it searches the whole environment


def digest(content: Any) -> str:
    """Short hash of any JSON-able content."""
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()[:16]


def hash_rows(rows: pd.DataFrame) -> str:
    """Short hash of the sessions and every number of `rows`, whatever the order of its columns.

    Text and flags (source, is_final) are left out: they say where bars came from, not what they are.
    """
    state = hashlib.sha256(rows["session"].to_numpy(dtype="datetime64[ns]").tobytes())
    for name in sorted(rows.select_dtypes("float64").columns):
        values = rows[name].to_numpy(dtype=float)
        # One bit pattern for every NaN and for both zeros.
        canonical = np.where(np.isnan(values), np.nan, values + 0.0)
        state.update(name.encode())
        state.update(canonical.tobytes())
    return state.hexdigest()[:16]


def bars_versions(bars: pd.DataFrame) -> NDArray[np.int64]:
    """Hash of all bars up to each session, shape (len(bars),): equal only where the whole history up to there is.

    Takes one ticker's rows of table `prices`, or a history made of them, in ascending order.
    """
    columns = [bars["session"].to_numpy(dtype="datetime64[ns]").view(np.uint64)]
    for name in _BAR_NUMBERS:
        values = bars[name].to_numpy(dtype=float)
        canonical = np.where(np.isnan(values), np.nan, values + 0.0)  # as in `hash_rows`
        columns.append(canonical.view(np.uint64))
    of_row = np.zeros(len(bars), dtype=np.uint64)
    for column in columns:
        of_row = of_row * _FACTOR + pd.util.hash_array(column)
    # A polynomial in `_FACTOR`, modulo 2 ** 64: each row's hash, and all before it times the factor.
    powers = np.cumprod(np.full(len(bars), _FACTOR, dtype=np.uint64))
    shrinking = np.cumprod(np.full(len(bars), _INVERSE, dtype=np.uint64))
    chained: NDArray[np.int64] = (np.cumsum(of_row * shrinking) * powers).view(np.int64)
    return chained


def major(version: str) -> str:
    """Major version, the part whose change may change what a stored model means."""
    return version.split(".")[0]
