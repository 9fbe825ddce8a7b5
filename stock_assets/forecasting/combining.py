"""Combining: an ensemble's fits from its members' stored fits, and its predictions from their stored predictions.

An ensemble is calibrated on the weighted mean of what its members said on their own calibration folds, and says the
weighted mean of what they published. No model is loaded and no bar is looked at.
"""

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.forecasting.backtest import Backtest, fold_row
from stock_assets.forecasting.ensembles import Ensemble, FittedEnsemble, member_names
from stock_assets.forecasting.ensembles._base import common_rows, weighted_mean
from stock_assets.forecasting.errors import ArtifactMismatch
from stock_assets.forecasting.folds import Fold, training_rows
from stock_assets.forecasting.manifest import Kind, Manifest, boundaries, digest, hash_rows, library_versions
from stock_assets.forecasting.members import Sought, members_in_use, members_of_fold, require_members
from stock_assets.forecasting.models import Progress, quiet
from stock_assets.forecasting.models._base import Floats
from stock_assets.forecasting.out_of_sample import Calibrated, as_published, asked_rows, calibrate_later, measure, score
from stock_assets.forecasting.predictions import predict_sessions
from stock_assets.forecasting.sessions import next_session
from stock_assets.forecasting.splits import HOLDOUT, LIVE, roles
from stock_assets.forecasting.stored_model import Answered, StoredModel, Trained
from stock_assets.forecasting.tuning import no_trials

Rows = NDArray[np.intp]


def combine(
    ensemble: Ensemble,
    history: pd.DataFrame,
    splits: pd.DataFrame,
    predictions: pd.DataFrame,
    *,
    ticker: str,
    store: ArtifactStore,
    now: Callable[[], datetime],
    progress: Progress = quiet,
) -> tuple[Trained, Answered]:
    """Combine the members' fits in use into both fits of an ensemble, and make those the ones in use.

    Args:
        ensemble: what weighs them.
        history: the ticker's whole history (`build_history`).
        splits: the ticker's rows of table `splits`.
        predictions: its members' rows of table `predictions` of the schemes holdout and live, as these fits made them.
        ticker: symbol.
        store: where fits are kept; those it already has are not made again.
        now: clock, aware; asked when a fit is written down.
        progress: told which members are left out and what the weights are.

    Returns:
        The fits, and what each says of every row of `history`; NaN where the members published nothing.

    Raises:
        NotTrained: fewer than two members have fits on these very rows.
        TooFewRows: the members share too few out-of-fold sessions.
        ArtifactMismatch: a member's predictions are not stored.
    """
    role = roles(splits, HOLDOUT).reindex(pd.DatetimeIndex(history["session"])).to_numpy(dtype=object)
    train = np.flatnonzero(role == "train")
    labelled = np.asarray(train[0] + np.flatnonzero(np.isfinite(history["target_log_return"].to_numpy()[train[0] :])))
    rows: dict[Kind, Rows] = {"evaluated": train, "final": labelled}
    sought = {kind: Sought(kind, ensemble.target, history, of, lead=int(of[0])) for kind, of in rows.items()}
    members, left_out = members_in_use(member_names(), sought, ticker=ticker, store=store)
    for name, problem in left_out.items():
        progress(f"without {name}: {problem}")
    require_members(ensemble.name, members, left_out, command="train")
    job = _Job(ensemble, history, role, ticker, store, now, progress)
    evaluated = job.calibrated("evaluated", train, {name: fits.evaluated for name, fits in members.items()})
    answer = _answer(evaluated, history, predictions, HOLDOUT)
    final = job.final(labelled, evaluated, {name: fits.final for name, fits in members.items()}, answer)
    versions: dict[Kind, str] = {"evaluated": evaluated.manifest.version, "final": final.manifest.version}
    store.set_current(ticker, ensemble.name, versions)
    return Trained(evaluated, final), {"evaluated": answer, "final": _answer(final, history, predictions, LIVE)}


def answers(trained: Trained, history: pd.DataFrame, predictions: pd.DataFrame) -> Answered:
    """What both fits of an ensemble say of every row of a history, before shrinkage, from stored predictions alone.

    Args:
        trained: the ensemble's fits.
        history: the ticker's whole history.
        predictions: its members' rows of table `predictions` of the schemes holdout and live.

    Raises:
        ArtifactMismatch: a member's predictions are not those of the fit that is combined.
    """
    return {
        "evaluated": _answer(trained.evaluated, history, predictions, HOLDOUT),
        "final": _answer(trained.final, history, predictions, LIVE),
    }


def published_by(fit: StoredModel, history: pd.DataFrame, predictions: pd.DataFrame) -> dict[str, Floats]:
    """What each member of an ensemble's fit published, by row of a history; NaN where it published nothing.

    Args:
        fit: of an ensemble.
        history: the ticker's whole history.
        predictions: rows of table `predictions` of one scheme, or one fold of it.

    Raises:
        ArtifactMismatch: a member's rows were not made by the fit that is combined.
    """
    found = {}
    for name, version in fit.manifest.parents.items():
        rows = predictions[(predictions["model"] == name) & (predictions["model_version"] == version)]
        if rows.empty and (predictions["model"] == name).any():
            raise ArtifactMismatch(
                f"{fit.manifest.model} {fit.manifest.version} combines {name} {version}, which is not the fit that "
                f"predicts now",
                cure="train them together (stock-assets train)",
            )
        by_session = rows.drop_duplicates("session").set_index("session")["predicted_log_return"]
        found[name] = history["session"].map(by_session).to_numpy(dtype=float)
    return found


def combine_backtests(
    ensemble: Ensemble,
    history: pd.DataFrame,
    folds: "list[Fold]",
    *,
    made: pd.DataFrame,
    predictions: pd.DataFrame,
    ticker: str,
    calendar: str,
    store: ArtifactStore,
    now: Callable[[], datetime],
    progress: Progress = quiet,
) -> Backtest:
    """Combine the backtests of an ensemble's members, fold by fold.

    Args:
        ensemble: what weighs them.
        history: the ticker's whole history (`build_history`).
        folds: all folds, from `plan_folds`.
        made: the members' rows of table `backtest_folds`.
        predictions: their rows of table `predictions` of the scheme walk_forward.
        calendar: exchange calendar name.

    Other arguments are those of `combine`.

    Raises:
        NotTrained: fewer than two members have predicted one of these very folds.
        TooFewRows: the members share too few out-of-fold sessions.
    """
    following = next_session(calendar, history["session"].iloc[-1].date())
    lead = int(history["session"].searchsorted(folds[0].train[0]))
    tables, rows = [], []
    for fold in folds:
        learned = training_rows(history, fold)
        sought = Sought("backtest", ensemble.target, history, learned, lead)
        members, left_out = members_of_fold(made, fold.name, fold.test[0], sought, ticker=ticker, store=store)
        what = f"{ensemble.name}, fold {fold.name} from {fold.test[0]:%Y-%m-%d},"
        require_members(what, members, left_out, command="backtest")
        role = np.full(len(history), None, dtype=object)
        role[learned] = "train"
        fit = _Job(ensemble, history, role, ticker, store, now, progress).calibrated("backtest", learned, members)
        asked = pd.Series("test", index=fold.test)
        published = fit.publish(_answer(fit, history, predictions, fold.name))
        predicted = predict_sessions(
            fit, history, asked, ticker=ticker, fold=fold.name, following=following, published=published
        )
        tables.append(predicted)
        rows.append(fold_row(fold, fit, predicted))
    return Backtest(pd.concat(tables, ignore_index=True), pd.DataFrame(rows), no_trials())


def ensemble_code_version(ensemble: Ensemble) -> str:
    """Hash of the source that makes an ensemble's fit: its file, what ensembles share, and how they are calibrated."""
    here = Path(__file__).parent
    module = sys.modules[type(ensemble).__module__]
    names = ("combining", "members", "intervals", "out_of_sample", "shrinkage", "volatility")
    files = [here / "ensembles" / "_base.py", Path(str(module.__file__)), *(here / f"{name}.py" for name in names)]
    return digest({path.name: path.read_text() for path in files})


@dataclass(frozen=True)
class _Job:
    ensemble: Ensemble
    history: pd.DataFrame
    role: NDArray[np.object_]
    ticker: str
    store: ArtifactStore
    now: Callable[[], datetime]
    progress: Progress

    def calibrated(self, kind: Kind, rows: Rows, members: Mapping[str, StoredModel]) -> StoredModel:
        """The combination of fits on train rows, calibrated on their out-of-fold rows."""
        version = self._address(kind, members)
        if (stored := self._stored(kind, version)) is not None:
            return stored
        common = common_rows(self.ensemble.name, list(members.values()))
        weights = self._weigh(common, members)
        asked = common[["actual", "volatility"]].assign(predicted=weighted_mean(weights, common)).reset_index()
        asked = asked[["session", "predicted", "actual", "volatility"]]
        shrunk = measure(asked, self.ensemble.target)
        published = as_published(asked, shrunk)
        return self._keep(kind, version, rows, members, weights, Calibrated(shrunk, score(published), published))

    def final(
        self, rows: Rows, evaluated: StoredModel, members: Mapping[str, StoredModel], answer: Floats
    ) -> StoredModel:
        """The combination of final fits, calibrated as those are; its weights are the ones that were evaluated."""
        version = self._address("final", members, evaluated=evaluated.manifest.version)
        if (stored := self._stored("final", version)) is not None:
            return stored
        later = np.flatnonzero(np.isin(self.role, ["validation", "test"]) & np.isfinite(answer))
        calibrated = calibrate_later(evaluated, asked_rows(self.history, answer, later))
        return self._keep("final", version, rows, members, _weights(evaluated), calibrated)

    def _weigh(self, common: pd.DataFrame, members: Mapping[str, StoredModel]) -> dict[str, float]:
        weights = dict(zip(members, self.ensemble.weights(common).tolist(), strict=True))
        self.progress("weights " + ", ".join(f"{name} {weight:.3f}" for name, weight in weights.items()))
        return weights

    def _stored(self, kind: Kind, version: str) -> StoredModel | None:
        if not self.store.verifies(self.ticker, self.ensemble.name, version):
            return None
        self.progress(f"{kind} fit {version} is in the store already")
        return self.store.load(self.ticker, self.ensemble.name, version)

    def _address(self, kind: Kind, members: Mapping[str, StoredModel], **inputs: str) -> str:
        return digest(
            {
                "ticker": self.ticker,
                "model": self.ensemble.name,
                "kind": kind,
                "settings": self.ensemble.settings(),
                "members": _versions(members),
                "code": ensemble_code_version(self.ensemble),
                **inputs,
            }
        )

    def _keep(
        self,
        kind: Kind,
        version: str,
        rows: Rows,
        members: Mapping[str, StoredModel],
        weights: Mapping[str, float],
        calibrated: Calibrated,
    ) -> StoredModel:
        formulas = {member.manifest.features_version for member in members.values()} - {None}
        session = self.history["session"].dt.strftime("%Y-%m-%d")
        manifest = Manifest(
            ticker=self.ticker,
            model=self.ensemble.name,
            version=version,
            kind=kind,
            seed=self.ensemble.seed,
            target=self.ensemble.target,
            settings=self.ensemble.settings(),
            libraries=library_versions(self.ensemble.libraries),
            data_version=hash_rows(self.history.iloc[: rows[-1] + 1]),
            code_version=ensemble_code_version(self.ensemble),
            features_version=next(iter(formulas), None),
            train_start=str(session.iloc[rows[0]]),
            train_end=str(session.iloc[rows[-1]]),
            n_train=len(rows),
            splits=boundaries(self.history, self.role),
            shrinkage=calibrated.shrinkage.to_json() if calibrated.shrinkage else None,
            interval_quantiles=calibrated.calibration.quantiles(),
            parents=_versions(members),
            fitted_at=self.now().isoformat(),
            fit_seconds=0.0,
            files={},
        )
        fitted = FittedEnsemble(self.ensemble, weights, lambda: list(members.values()))
        return self.store.save(StoredModel(fitted, calibrated.calibration, manifest, calibrated.out_of_fold))


def _answer(fit: StoredModel, history: pd.DataFrame, predictions: pd.DataFrame, fold: str) -> Floats:
    said = published_by(fit, history, predictions[predictions["fold"] == fold])
    return weighted_mean(_weights(fit), said)


def _weights(fit: StoredModel) -> Mapping[str, float]:
    if not isinstance(fit.fitted, FittedEnsemble):
        raise TypeError(f"{fit.manifest.model} {fit.manifest.version} is no ensemble's fit")
    return fit.fitted.weights


def _versions(members: Mapping[str, StoredModel]) -> dict[str, str]:
    return {name: member.manifest.version for name, member in members.items()}
