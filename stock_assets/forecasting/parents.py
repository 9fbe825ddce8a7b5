"""Which stored fits a combination is made of, and the proof that they learned from the rows it is asked for."""

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.forecasting.errors import ArtifactMismatch, NotTrained
from stock_assets.forecasting.history import training_window
from stock_assets.forecasting.manifest import Kind, Manifest, hash_rows
from stock_assets.forecasting.models._combination import Combination
from stock_assets.forecasting.stored_model import StoredModel

_COMMANDS: dict[Kind, str] = {"evaluated": "train", "final": "train", "backtest": "backtest"}


def in_use(model: Combination, kind: Kind, *, ticker: str, store: ArtifactStore) -> list[StoredModel]:
    """The fits of its parents that the store points at.

    Raises:
        NotTrained: a parent has none, or one that cannot be read.
    """
    return [_load(model, name, kind, ticker, None, store) for name in model.parents]


def of_fold(
    model: Combination, folds: pd.DataFrame, fold: str, test_start: pd.Timestamp, *, store: ArtifactStore
) -> list[StoredModel]:
    """The fits that predicted one fold of the backtests of its parents.

    Args:
        model: the combination.
        folds: rows of table `backtest_folds` of the parents, of one ticker.
        fold: name of the fold.
        test_start: first as-of session that it predicts from.
        store: where the fits are kept.

    Raises:
        NotTrained: a parent has not predicted this fold, or its fit cannot be read.
    """
    made = folds[(folds["fold"] == fold) & (folds["test_start"] == test_start)].set_index("model")
    fits = []
    for name in model.parents:
        if name not in made.index:
            raise NotTrained(
                f"{model.name} combines {name}, which has no backtest with a fold {fold} from {test_start:%Y-%m-%d}",
                cure=model.cure("backtest"),
            )
        row = made.loc[name]
        fits.append(_load(model, name, "backtest", str(row["ticker"]), str(row["model_version"]), store))
    return fits


def _load(
    model: Combination, parent: str, kind: Kind, ticker: str, version: str | None, store: ArtifactStore
) -> StoredModel:
    try:
        return store.load(ticker, parent, version or store.current(ticker, parent)[kind])
    except ArtifactMismatch as error:
        problem = f"{model.name} combines {parent}, whose {kind} fit cannot be used: {error.problem}"
        raise NotTrained(problem, cure=model.cure(_COMMANDS[kind])) from error


def check_parents(model: Combination, kind: Kind, history: pd.DataFrame, rows: NDArray[np.intp], *, lead: int) -> None:
    """Prove that the parents at hand may be combined into a fit on `rows` of `history`.

    Each must be of this kind and target, and have learned from these bars. Evaluated and final fits must have learned
    from exactly these rows. Fits of a backtest may have learned from fewer of the newest (a model that is refitted less
    often), never from later ones.

    Args:
        model: a combination with its parents at hand.
        kind: of the fit that is to be made.
        history: the ticker's whole history.
        rows: positions of the labels to learn from, ascending.
        lead: sessions of inputs that every fit sees before its first label.

    Raises:
        NotTrained: one of the parents is not such a fit; names both sides.
    """
    for parent in model.of:
        fault = _fault(parent.manifest, kind, model.target, history, rows, lead)
        if fault:
            raise NotTrained(
                f"{model.name} combines {parent.manifest.model}, whose fit {parent.manifest.version} {fault}",
                cure=model.cure(_COMMANDS[kind]),
            )


def _fault(
    manifest: Manifest, kind: Kind, target: str, history: pd.DataFrame, rows: NDArray[np.intp], lead: int
) -> str | None:
    if manifest.kind != kind:
        return f"is of kind {manifest.kind} and not {kind}"
    if manifest.target != target:
        return f"learned {manifest.target} and not {target}"
    session = history["session"].dt.strftime("%Y-%m-%d")
    start, end = session.iloc[rows[0]], session.iloc[rows[-1]]
    span = manifest.train_start, manifest.train_end
    is_allowed = manifest.train_end <= end if kind == "backtest" else span == (start, end)
    if not is_allowed:
        return f"learned from {span[0]} to {span[1]} and not from {start} to {end}"
    first, last = int((session < span[0]).sum()), int((session <= span[1]).sum()) - 1
    known = training_window(history, max(first, lead), last, lead=lead)
    return None if hash_rows(known) == manifest.data_version else "learned from other bars than these"
