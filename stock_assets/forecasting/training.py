"""Training: calibrate on inner folds, fit on the training rows, fit again on everything. Each fit is done once, ever.

    inner folds of train → shrinkage and conformal scores ─┐
    train                → evaluated fit ──────────────────┴→ predicts validation and test
    all labelled rows    → final fit, calibrated with those scores and the evaluated fit's on validation and test

Nothing here chooses settings, and nothing of validation or test reaches the evaluated fit. A combination has no folds
of its own: it is calibrated on the mean of what its parents said on theirs.
"""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stock_assets.forecasting import intervals
from stock_assets.forecasting.addresses import Rows, address, code_version, used_features_version
from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.forecasting.errors import TooFewRows
from stock_assets.forecasting.intervals import Calibration
from stock_assets.forecasting.manifest import Kind, Manifest, hash_rows, library_versions
from stock_assets.forecasting.models import Forecaster, Progress, quiet
from stock_assets.forecasting.models._base import Fitted, Floats
from stock_assets.forecasting.models._combination import Combination
from stock_assets.forecasting.out_of_sample import Calibrated, as_published, asked_rows, measure, score
from stock_assets.forecasting.parents import check_parents, in_use
from stock_assets.forecasting.shrinkage import Shrinkage
from stock_assets.forecasting.splits import HOLDOUT, roles
from stock_assets.forecasting.stored_model import StoredModel, Trained

_PURGED = 1
"""Sessions left out between an inner fold's training rows and the rows it predicts."""


def _nobody_listens() -> None:
    """A start that nobody wants to know of."""


def train(
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
) -> Trained:
    """Fit one model for one ticker, twice, and make the two fits the ones in use.

    Args:
        forecaster: the model and its settings.
        history: the ticker's whole history (`build_history`). Rows before the first train row are inputs.
        splits: the ticker's rows of table `splits`.
        ticker: symbol.
        store: where fits are kept; those it already has are loaded, not repeated. A combination finds there the fits of
            its parents that are in use.
        now: clock, aware; asked when a fit ends.
        fold: which fold's boundaries to use.
        progress: told what is being done.
        starting: called before each fit that is made, not for one that the store has.

    Raises:
        TooFewRows: too little history for the model or for its calibration.
        NotTrained: a model that is to be combined has no fit on these very rows.
    """
    role = roles(splits, fold).reindex(pd.DatetimeIndex(history["session"])).to_numpy(dtype=object)
    job = _Job(forecaster, history, role, ticker, store, now, progress, starting)
    evaluated = job.with_parents("evaluated", job.train_rows).on_train_rows("evaluated")
    final = job.with_parents("final", job.labelled_rows).final(evaluated)
    store.set_current(
        ticker, forecaster.name, {"evaluated": evaluated.manifest.version, "final": final.manifest.version}
    )
    return Trained(evaluated, final)


def fit_fold(
    forecaster: Forecaster,
    history: pd.DataFrame,
    rows: Rows,
    *,
    ticker: str,
    store: ArtifactStore,
    now: Callable[[], datetime],
    progress: Progress = quiet,
) -> StoredModel:
    """Fit one model once, calibrated on inner folds of its training rows: a fit of the walk-forward backtest.

    Args:
        forecaster: the model and its settings; a combination with its parents' fits of this fold at hand.
        rows: positions in `history` of the labels to learn from, ascending. Nothing after the last of them is seen, and
            earlier rows of `history` are inputs.

    Other arguments are those of `train`. The store keeps the fit as kind `backtest`; no pointer is moved.

    Raises:
        TooFewRows: too few rows for the model or for its calibration.
        NotTrained: the models that are to be combined are not at hand.
    """
    role = np.full(len(history), None, dtype=object)
    role[rows] = "train"
    return _Job(forecaster, history, role, ticker, store, now, progress).on_train_rows("backtest")


@dataclass(frozen=True)
class _Job:
    forecaster: Forecaster
    history: pd.DataFrame
    role: NDArray[np.object_]
    ticker: str
    store: ArtifactStore
    now: Callable[[], datetime]
    progress: Progress
    starting: Callable[[], None] = _nobody_listens

    @property
    def train_rows(self) -> Rows:
        """Positions of the train rows."""
        return np.flatnonzero(self.role == "train")

    @property
    def labelled_rows(self) -> Rows:
        """Positions of all labels from the first train row on."""
        first = self.train_rows[0]
        return np.asarray(first + np.flatnonzero(np.isfinite(self._actual[first:])))

    def with_parents(self, kind: Kind, rows: Rows) -> "_Job":
        """This job with the fits in use that the model combines, if any, proven to have learned from `rows`."""
        if not isinstance(self.forecaster, Combination):
            return self
        fits = in_use(self.forecaster, kind, ticker=self.ticker, store=self.store)
        bound = self.forecaster.combining(fits)
        check_parents(bound, kind, self.history, rows, lead=int(rows[0]))
        return replace(self, forecaster=bound)

    def on_train_rows(self, kind: Kind) -> StoredModel:
        """The fit on train rows, calibrated on inner folds of them."""
        return self._fit_once(kind, self.train_rows, self._calibrate_on_train_rows, inputs={})

    def final(self, evaluated: StoredModel) -> StoredModel:
        """The fit on all labelled rows, calibrated on everything the evaluated fit never learned from."""
        # Its intervals depend on the evaluated fit's, so its address does too.
        return self._fit_once(
            "final",
            self.labelled_rows,
            lambda _: self._calibrate_on_later_rows(evaluated),
            inputs={"evaluated": evaluated.manifest.version},
        )

    def _fit_once(
        self,
        kind: Kind,
        rows: Rows,
        calibrate: Callable[[Rows], Calibrated],
        inputs: Mapping[str, Any],
    ) -> StoredModel:
        inputs = {**inputs, "parents": self._parents()}
        version = address(self.forecaster, self._known(rows), rows, ticker=self.ticker, kind=kind, inputs=inputs)
        if self.store.verifies(self.ticker, self.forecaster.name, version):
            self.progress(f"{kind} fit {version} is in the store already")
            return self.store.load(self.ticker, self.forecaster.name, version)
        self.starting()
        started = time.perf_counter()
        calibrated = calibrate(rows)
        self.progress(f"{kind} fit on {len(rows)} sessions")
        fitted = self.forecaster.fit(self._known(rows), self.progress)
        manifest = self._manifest(kind, version, rows, calibrated, fit_seconds=time.perf_counter() - started)
        return self.store.save(StoredModel(fitted, calibrated.calibration, manifest, calibrated.out_of_fold))

    def _manifest(
        self, kind: Kind, version: str, rows: Rows, calibrated: Calibrated, *, fit_seconds: float
    ) -> Manifest:
        return Manifest(
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
            splits=self._boundaries(),
            shrinkage=calibrated.shrinkage.to_json() if calibrated.shrinkage else None,
            interval_quantiles={str(level): calibrated.calibration.quantile(level) for level in intervals.LEVELS},
            parents=self._parents(),
            fitted_at=self.now().isoformat(),
            fit_seconds=fit_seconds,
            files={},
        )

    def _parents(self) -> dict[str, str]:
        fits = self.forecaster.of if isinstance(self.forecaster, Combination) else ()
        return {parent.manifest.model: parent.manifest.version for parent in fits}

    def _known(self, rows: Rows) -> pd.DataFrame:
        return self.history.iloc[: rows[-1] + 1]

    def _calibrate_on_train_rows(self, rows: Rows) -> Calibrated:
        if isinstance(self.forecaster, Combination):
            asked = self.forecaster.predict_out_of_fold()
        else:
            asked = self._predict_inner_folds(rows)
        shrunk = measure(asked, self.forecaster.target)
        published = as_published(asked, shrunk)
        return Calibrated(shrunk, score(published), published)

    def _predict_inner_folds(self, rows: Rows) -> pd.DataFrame:
        folds = inner_folds(rows, self.forecaster)
        predicted = np.full(len(self.history), np.nan)
        for number, (learn, ask) in enumerate(folds, start=1):
            self.progress(f"calibration fold {number}/{len(folds)}")
            fitted = self.forecaster.fit(self.history.iloc[: learn[-1] + 1], self.progress)
            predicted[ask] = self._ask(fitted, ask)
        return asked_rows(self.history, predicted, np.concatenate([ask for _, ask in folds]))

    def _calibrate_on_later_rows(self, evaluated: StoredModel) -> Calibrated:
        rows = np.flatnonzero(np.isin(self.role, ["validation", "test"]))
        predicted = np.full(len(self.history), np.nan)
        predicted[rows] = self._ask(evaluated.fitted, rows)
        asked = asked_rows(self.history, predicted, rows)
        later = measure(asked, self.forecaster.target)
        earlier = evaluated.manifest.shrinkage
        # Scores are of predictions as published: shrunk by what was known when they were made.
        stored = Shrinkage.from_json(earlier) if earlier else None
        scores = score(as_published(asked, stored))
        pooled = later + stored if later and stored else None
        return Calibrated(pooled, Calibration.pooled([evaluated.calibration, scores]), evaluated.out_of_fold)

    def _ask(self, fitted: Fitted, rows: Rows) -> Floats:
        return fitted.predict(self.history.iloc[: rows[-1] + 1])[rows]

    @property
    def _actual(self) -> Floats:
        return self.history["target_log_return"].to_numpy(dtype=float)

    def _session(self, row: int) -> str:
        return f"{self.history['session'].iloc[row]:%Y-%m-%d}"

    def _boundaries(self) -> dict[str, list[Any]]:
        found = {}
        for name in ("train", "validation", "test"):
            rows = np.flatnonzero(self.role == name)
            if len(rows):
                found[name] = [self._session(rows[0]), self._session(rows[-1]), len(rows)]
        return found


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
