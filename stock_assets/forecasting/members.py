"""Which stored fits an ensemble may be made of, and the proof that they learned from the rows it is asked for."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.forecasting.ensembles._base import LEAST_MEMBERS
from stock_assets.forecasting.errors import ArtifactMismatch, NotTrained
from stock_assets.forecasting.history import training_window
from stock_assets.forecasting.manifest import Kind, Manifest, hash_rows
from stock_assets.forecasting.stored_model import StoredModel, Trained

Rows = NDArray[np.intp]


@dataclass(frozen=True)
class Sought:
    """What a member's fit has to be.

    Attributes:
        kind: evaluated, final or backtest.
        target: what it has to have learned.
        history: the ticker's whole history.
        rows: positions of the labels to learn from, ascending.
        lead: sessions of inputs that every fit sees before its first label.
    """

    kind: Kind
    target: str
    history: pd.DataFrame
    rows: Rows
    lead: int

    def fault(self, manifest: Manifest) -> str | None:
        """Why a fit may not be combined, as part of a sentence; None where it may.

        It must be of this kind and target, and have learned from these bars. Evaluated and final fits must have learned
        from exactly these rows; fits of a backtest may have learned from fewer of the newest (a model that is refitted
        less often), never from later ones.
        """
        if manifest.kind != self.kind:
            return f"is of kind {manifest.kind} and not {self.kind}"
        if manifest.target != self.target:
            return f"learned {manifest.target} and not {self.target}"
        session = self.history["session"].dt.strftime("%Y-%m-%d")
        start, end = session.iloc[self.rows[0]], session.iloc[self.rows[-1]]
        span = manifest.train_start, manifest.train_end
        is_allowed = manifest.train_end <= end if self.kind == "backtest" else span == (start, end)
        if not is_allowed:
            return f"learned from {span[0]} to {span[1]} and not from {start} to {end}"
        first, last = int((session < span[0]).sum()), int((session <= span[1]).sum()) - 1
        known = training_window(self.history, max(first, self.lead), last, lead=self.lead)
        return None if hash_rows(known) == manifest.data_version else "learned from other bars than these"


def members_in_use(
    names: Sequence[str], sought: Mapping[Kind, Sought], *, ticker: str, store: ArtifactStore
) -> tuple[dict[str, Trained], dict[str, str]]:
    """The members whose fits in use may be combined, and why each of the others may not.

    Args:
        names: the models to look for.
        sought: kind → what its fit has to be.
        ticker: symbol.
        store: where the fits are kept.
    """
    found, left_out = {}, {}
    for name in names:
        try:
            trained = store.load_current(ticker, name)
        except ArtifactMismatch as error:
            left_out[name] = error.problem
            continue
        fits = {"evaluated": trained.evaluated, "final": trained.final}
        faults = [_sentence(fits[kind], sought[kind].fault(fits[kind].manifest)) for kind in sought]
        if any(faults):
            left_out[name] = next(filter(None, faults))
        else:
            found[name] = trained
    return found, left_out


def members_of_fold(
    folds: pd.DataFrame, fold: str, test_start: pd.Timestamp, sought: Sought, *, ticker: str, store: ArtifactStore
) -> tuple[dict[str, StoredModel], dict[str, str]]:
    """The fits that predicted one fold of the members' backtests, and why those of other members may not be combined.

    Args:
        folds: rows of table `backtest_folds` of the members, of one ticker.
        fold: name of the fold.
        test_start: first as-of session that it predicts from.
        sought: what each fit has to be.
        ticker: symbol.
        store: where the fits are kept.
    """
    made = folds[(folds["fold"] == fold) & (folds["test_start"] == test_start)]
    found, left_out = {}, {}
    for name, version in zip(made["model"], made["model_version"], strict=True):
        try:
            fit = store.load(ticker, str(name), str(version))
        except ArtifactMismatch as error:
            left_out[str(name)] = error.problem
            continue
        fault = _sentence(fit, sought.fault(fit.manifest))
        if fault:
            left_out[str(name)] = fault
        else:
            found[str(name)] = fit
    return found, left_out


def require_members(name: str, found: Mapping[str, object], left_out: Mapping[str, str], *, command: str) -> None:
    """Refuse to combine what is not several.

    Raises:
        NotTrained: fewer than `LEAST_MEMBERS` members; names what is wrong with the others.
    """
    if len(found) < LEAST_MEMBERS:
        why = "; ".join(f"{model}: {problem}" for model, problem in left_out.items()) or "there are no others"
        raise NotTrained(
            f"{name} combines at least {LEAST_MEMBERS} models, and can use {', '.join(found) or 'none'} ({why})",
            cure=f"make them together (stock-assets {command} without --models, or with at least two of them)",
        )


def _sentence(fit: StoredModel, fault: str | None) -> str | None:
    return f"its fit {fit.manifest.version} {fault}" if fault else None
