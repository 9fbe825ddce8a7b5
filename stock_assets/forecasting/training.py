"""Training: calibrate on inner folds, fit on the training rows, fit again on everything. Each fit is done once, ever.

    inner folds of train → shrinkage and conformal scores ─┐
    train                → evaluated fit ──────────────────┴→ predicts validation and test
    all labelled rows    → final fit, calibrated with those scores and the evaluated fit's on validation and test

Nothing here chooses settings, and nothing of validation or test reaches the evaluated fit. No fit needs another's
result, so all of them are given out together (`units.py`); only what is written down about them follows in order.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stock_assets.forecasting.addresses import Rows, address, code_version, used_features_version
from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.forecasting.errors import TooFewRows
from stock_assets.forecasting.manifest import Kind, Manifest, boundaries, hash_rows, library_versions
from stock_assets.forecasting.models import Forecaster, Progress, quiet
from stock_assets.forecasting.models._base import Floats
from stock_assets.forecasting.out_of_sample import (
    Calibrated,
    as_published,
    asked_rows,
    calibrate_later,
    measure,
    score,
)
from stock_assets.forecasting.splits import HOLDOUT, roles
from stock_assets.forecasting.stored_model import Answered, StoredModel, Trained
from stock_assets.forecasting.units import AskUnit, Fit, FitUnit, Packed, Steps, Unit, drive

_PURGED = 1
"""Sessions left out between an inner fold's training rows and the rows it predicts."""


def _nobody_listens() -> None:
    """A start that nobody wants to know of."""


def training(
    forecaster: Forecaster,
    history: pd.DataFrame,
    splits: pd.DataFrame,
    *,
    ticker: str,
    store: ArtifactStore,
    now: Callable[[], datetime],
    fold: str = HOLDOUT,
    progress: Progress = quiet,
    starting: Callable[[], None] = _nobody_listens,
) -> Steps[tuple[Trained, Answered]]:
    """Fit one model for one ticker, twice, make the two fits the ones in use, and ask both about the whole history.

    Args:
        forecaster: the model and its settings.
        history: the ticker's whole history (`build_history`). Rows before the first train row are inputs.
        splits: the ticker's rows of table `splits`.
        ticker: symbol.
        store: where fits are kept; those it already has are asked, not repeated.
        now: clock, aware; asked when a fit is written down.
        fold: which fold's boundaries to use.
        progress: told what was done.
        starting: called before fits are made, not where the store has both.

    Returns:
        The fits, and what each says of every row of `history`.

    Raises:
        TooFewRows: too little history for the model or for its calibration.
    """
    role = roles(splits, fold).reindex(pd.DatetimeIndex(history["session"])).to_numpy(dtype=object)
    job = _Job(forecaster, history, role, ticker, store, now, progress)
    evaluated = job.address("evaluated", job.train_rows)
    # The final fit's intervals depend on the evaluated fit's, so its address does too.
    final = job.address("final", job.labelled_rows, evaluated=evaluated)
    is_new = {version for version in (evaluated, final) if not job.has(version)}
    if is_new:
        starting()
    units = {
        "final": job.fit(job.labelled_rows) if final in is_new else job.ask(final),
        "evaluated": job.fit(job.train_rows) if evaluated in is_new else job.ask(evaluated),
        **(job.calibration_units(job.train_rows) if evaluated in is_new else {}),
    }
    results = dict(zip(units, (yield list(units.values())), strict=True))
    first = job.keep_calibrated("evaluated", evaluated, job.train_rows, results) if evaluated in is_new else None
    first = first or job.found("evaluated", evaluated)
    answered: Answered = {"evaluated": results["evaluated"].predicted, "final": results["final"].predicted}
    second = job.keep_final(final, first, results["final"], answered) if final in is_new else job.found("final", final)
    store.set_current(ticker, forecaster.name, {"evaluated": evaluated, "final": final})
    return Trained(first, second), answered


def train(forecaster: Forecaster, history: pd.DataFrame, splits: pd.DataFrame, **options: Any) -> Trained:
    """`training` in this process; arguments and errors are its."""
    trained, _ = drive(training(forecaster, history, splits, **options))
    return trained


def fitting_fold(
    forecaster: Forecaster,
    known: pd.DataFrame,
    rows: Rows,
    *,
    asked: pd.DataFrame,
    ticker: str,
    store: ArtifactStore,
    now: Callable[[], datetime],
    progress: Progress = quiet,
) -> Steps[tuple[StoredModel, Floats]]:
    """Fit one model once, calibrated on inner folds of its training rows: a fit of the walk-forward backtest.

    Args:
        forecaster: the model and its settings.
        known: history that the fit may look at.
        rows: positions in `known` of the labels to learn from, ascending. Nothing after the last of them is seen, and
            earlier rows are inputs.
        asked: history to predict.

    Other arguments are those of `training`. The store keeps the fit as kind `backtest`; no pointer is moved.

    Returns:
        The fit, and what it says of every row of `asked`.

    Raises:
        TooFewRows: too few rows for the model or for its calibration.
    """
    role = np.full(len(known), None, dtype=object)
    role[rows] = "train"
    job = _Job(forecaster, known, role, ticker, store, now, progress)
    version = job.address("backtest", rows)
    if job.has(version):
        (answer,) = yield [job.ask(version, asked)]
        return job.found("backtest", version), answer.predicted
    units: dict[str, Unit] = {"evaluated": job.fit(rows, asked), **job.calibration_units(rows)}
    results = dict(zip(units, (yield list(units.values())), strict=True))
    return job.keep_calibrated("backtest", version, rows, results), results["evaluated"].predicted


def fit_fold(forecaster: Forecaster, known: pd.DataFrame, rows: Rows, **options: Any) -> StoredModel:
    """`fitting_fold` in this process, asked about nothing later; arguments and errors are its."""
    fit, _ = drive(fitting_fold(forecaster, known, rows, asked=known.iloc[: rows[-1] + 1], **options))
    return fit


@dataclass(frozen=True)
class _Job:
    forecaster: Forecaster
    history: pd.DataFrame
    role: NDArray[np.object_]
    ticker: str
    store: ArtifactStore
    now: Callable[[], datetime]
    progress: Progress

    @property
    def train_rows(self) -> Rows:
        """Positions of the train rows."""
        return np.flatnonzero(self.role == "train")

    @property
    def labelled_rows(self) -> Rows:
        """Positions of all labels from the first train row on."""
        first = self.train_rows[0]
        return np.asarray(first + np.flatnonzero(np.isfinite(self._actual[first:])))

    def address(self, kind: Kind, rows: Rows, **inputs: Any) -> str:
        """Version of the fit on these rows."""
        return address(self.forecaster, self._known(rows), rows, ticker=self.ticker, kind=kind, inputs=inputs)

    def has(self, version: str) -> bool:
        """Whether the store has this fit, complete and unchanged."""
        return self.store.verifies(self.ticker, self.forecaster.name, version)

    def found(self, kind: Kind, version: str) -> StoredModel:
        """A fit that was made before."""
        self.progress(f"{kind} fit {version} is in the store already")
        return self.store.load(self.ticker, self.forecaster.name, version)

    def fit(self, rows: Rows, asked: pd.DataFrame | None = None) -> FitUnit:
        """Learn from these rows, and be asked about a history (by default the whole of this one)."""
        return FitUnit(self.forecaster, self._known(rows), self.history if asked is None else asked)

    def ask(self, version: str, asked: pd.DataFrame | None = None) -> AskUnit:
        """Ask a fit that the store has."""
        packed = self.store.packed(self.ticker, self.forecaster.name, version)
        return AskUnit(packed, self.history if asked is None else asked)

    def calibration_units(self, rows: Rows) -> Mapping[str, FitUnit]:
        """Fits on inner folds of the training rows, each asked about the block that follows; the longest first."""
        folds = list(enumerate(inner_folds(rows, self.forecaster)))
        return {
            _fold_name(number): FitUnit(
                self.forecaster, self._known(learn), self.history.iloc[: ask[-1] + 1], is_kept=False
            )
            for number, (learn, ask) in reversed(folds)
        }

    def keep_calibrated(self, kind: Kind, version: str, rows: Rows, results: Mapping[str, Fit]) -> StoredModel:
        """Write down a fit on train rows, calibrated on its inner folds."""
        folds = inner_folds(rows, self.forecaster)
        predicted = np.full(len(self.history), np.nan)
        for number, (_, ask) in enumerate(folds):
            fold = results[_fold_name(number)]
            predicted[ask] = fold.predicted[ask]
            self.progress(f"calibration fold {number + 1}/{len(folds)}: {fold.seconds:.1f} s")
        asked = asked_rows(self.history, predicted, np.concatenate([ask for _, ask in folds]))
        shrunk = measure(asked, self.forecaster.target)
        published = as_published(asked, shrunk)
        fit = results["evaluated"]
        seconds = fit.seconds + sum(results[_fold_name(number)].seconds for number in range(len(folds)))
        return self._keep(kind, version, rows, fit, Calibrated(shrunk, score(published), published), seconds)

    def keep_final(self, version: str, evaluated: StoredModel, fit: Fit, answered: Answered) -> StoredModel:
        """Write down the fit on all labelled rows, calibrated on everything the evaluated fit never learned from."""
        rows = np.flatnonzero(np.isin(self.role, ["validation", "test"]))
        asked = asked_rows(self.history, answered["evaluated"], rows)
        calibrated = calibrate_later(evaluated, asked)
        return self._keep("final", version, self.labelled_rows, fit, calibrated, fit.seconds)

    def _keep(
        self, kind: Kind, version: str, rows: Rows, fit: Fit, calibrated: Calibrated, seconds: float
    ) -> StoredModel:
        self.progress(f"{kind} fit on {len(rows)} sessions: {fit.seconds:.1f} s")
        manifest = Manifest(
            ticker=self.ticker,
            model=self.forecaster.name,
            version=version,
            kind=kind,
            seed=self.forecaster.seed,
            target=self.forecaster.target,
            settings=self.forecaster.settings(),
            libraries=library_versions(self.forecaster.libraries),
            data_version=hash_rows(self._known(rows)),
            code_version=code_version(self.forecaster),
            features_version=used_features_version(self.forecaster),
            train_start=self._session(rows[0]),
            train_end=self._session(rows[-1]),
            n_train=len(rows),
            splits=boundaries(self.history, self.role),
            shrinkage=calibrated.shrinkage.to_json() if calibrated.shrinkage else None,
            interval_quantiles=calibrated.calibration.quantiles(),
            parents={},
            fitted_at=self.now().isoformat(),
            fit_seconds=seconds,
            files={},
        )
        fitted = Packed(self.forecaster, fit.files)
        return self.store.save(StoredModel(fitted, calibrated.calibration, manifest, calibrated.out_of_fold))

    def _known(self, rows: Rows) -> pd.DataFrame:
        return self.history.iloc[: rows[-1] + 1]

    @property
    def _actual(self) -> Floats:
        return self.history["target_log_return"].to_numpy(dtype=float)

    def _session(self, row: int) -> str:
        return f"{self.history['session'].iloc[row]:%Y-%m-%d}"


def _fold_name(number: int) -> str:
    return f"fold {number}"


def inner_folds(rows: Rows, forecaster: Forecaster) -> list[tuple[Rows, Rows]]:
    """Expanding folds in time order: the rows to learn from, and the next block to predict, one session between them.

    Args:
        rows: positions of the training rows in the history, ascending.
        forecaster: `calibration_folds` blocks are predicted; the first of the equal blocks is only learned from.

    Raises:
        TooFewRows: the first fold would be too short for the model.
    """
    n_folds = forecaster.calibration_folds
    blocks = np.array_split(rows, n_folds + 1)
    shortest = len(blocks[0]) - _PURGED
    n_known = int(blocks[0][-1]) + 1 - _PURGED if shortest > 0 else 0
    if n_known < forecaster.min_rows:
        raise TooFewRows(
            f"{forecaster.name} needs {forecaster.min_rows} sessions in the first of its {n_folds} calibration folds, "
            f"and {len(rows)} training sessions leave {n_known}",
            cure="fetch a longer history (--lookback) or leave this ticker out",
        )
    return [(np.concatenate(blocks[:number])[:-_PURGED], blocks[number]) for number in range(1, n_folds + 1)]
