"""Provenance proofs: a stored fit holds nothing that its training rows alone do not give."""

from collections.abc import Iterable

import numpy as np
import pandas as pd

from stock_assets.forecasting.features import WARM_UP
from stock_assets.forecasting.lookahead import Examination
from stock_assets.forecasting.manifest import hash_rows
from stock_assets.forecasting.splits import LIVE, scheme_of
from stock_assets.forecasting.stored_model import StoredModel
from stock_assets.forecasting.volatility import forecast_volatility

_RESTATED = 1e-3
"""Relative difference that is let pass where bars were restated since the fit: a dividend moves every earlier bar."""


def examine_training_end(
    fits: Iterable[StoredModel], folds: pd.DataFrame, predictions: pd.DataFrame, sessions: pd.Series
) -> Examination:
    """Prove that every prediction is later than what its fit learned from, and a session is purged where it is scored.

    Takes one model's stored fits, its rows of tables `backtest_folds` and `predictions`, and the ticker's sessions,
    ascending.
    """
    ends = {str(version): pd.Timestamp(end) for version, end in folds.set_index("model_version")["train_end"].items()}
    ends |= {fit.manifest.version: pd.Timestamp(fit.manifest.train_end) for fit in fits}
    wrong, unknown = [], []
    for (fold, version), rows in predictions.groupby(["fold", "model_version"]):
        if version not in ends:
            unknown.append(f"{fold} by {version}")
            continue
        between = int(sessions[(sessions > ends[version]) & (sessions < rows["session"].min())].nunique())
        is_late = rows["session"].min() <= ends[version]
        if is_late or (scheme_of(str(fold)) != LIVE and not between):
            wrong.append(f"{fold} from {rows['session'].min():%Y-%m-%d} by a fit up to {ends[version]:%Y-%m-%d}")
    if wrong or unknown:
        parts = [
            f"predicted what was learned from: {'; '.join(wrong)}" if wrong else "",
            f"rows of fits that nothing is known of: {'; '.join(unknown)}" if unknown else "",
        ]
        return Examination(
            "training_end", False, "; ".join(part for part in parts if part), len(wrong) + len(unknown), 0.0
        )
    n = predictions["fold"].nunique()
    return Examination("training_end", True, f"every fit ended before the first session of its {n} folds", 0.0, 0.0)


def examine_scales(fits: Iterable[StoredModel], history: pd.DataFrame) -> Examination:
    """Prove that scalers and standardisation of one model's fits are what the training rows alone give."""
    largest, limit, wrong, n = 0.0, 0.0, [], 0
    for fit in fits:
        known = _known(fit, history)
        expected = fit.fitted.forecaster.standardisation(known)
        held = fit.fitted.standardisation()
        if held.keys() != expected.keys():
            wrong.append(f"the {fit.manifest.kind} fit holds {', '.join(held) or 'none'}")
            continue
        is_restated = hash_rows(known) != fit.manifest.data_version
        limit = max(limit, _RESTATED if is_restated else 0.0)
        for name, values in held.items():
            n += 1
            gap = _relative_gap(values, expected[name])
            largest = max(largest, gap)
            if not gap <= (_RESTATED if is_restated else 0.0):
                wrong.append(f"{name} of the {fit.manifest.kind} fit by {gap:.3g}")
    if wrong:
        message = f"scales are not those of the training rows: {'; '.join(wrong)}"
        return Examination("scaler_provenance", False, message, largest, limit)
    kept = f"{n} scales are those of the training rows alone" if n else "it keeps no scales"
    note = " (bars were restated since the fit: compared within 0.1 %)" if limit else ""
    return Examination("scaler_provenance", True, f"{kept}{note}", largest, limit)


def examine_calibration(fits: Iterable[StoredModel], history: pd.DataFrame) -> Examination:
    """Prove that intervals were calibrated inside the training window, on what happened and was forecast then.

    Of a final fit, which also uses what its evaluated fit said of later rows, only the sessions are compared.
    """
    name, wrong, largest, limit = "calibration_provenance", [], 0.0, 0.0
    for fit in fits:
        rows, kind = fit.out_of_fold, fit.manifest.kind
        inside = rows["session"].between(pd.Timestamp(fit.manifest.train_start), pd.Timestamp(fit.manifest.train_end))
        if not inside.all():
            outside = rows.loc[~inside, "session"]
            wrong.append(f"the {kind} fit used {len(outside)} sessions outside, to {outside.max():%Y-%m-%d}")
            continue
        if kind == "final":
            continue
        known = _known(fit, history)
        tolerance = _RESTATED if hash_rows(known) != fit.manifest.data_version else 1e-9
        gap = _calibration_gap(fit, known)
        largest, limit = max(largest, gap), max(limit, tolerance)
        if not gap <= tolerance:
            wrong.append(f"scores of the {kind} fit differ by {gap:.3g} from those of its training rows")
    if wrong:
        return Examination(name, False, f"calibrated on something else: {'; '.join(wrong)}", largest, limit)
    return Examination(name, True, "calibrated on out-of-fold sessions of the training window alone", largest, limit)


def _calibration_gap(fit: StoredModel, known: pd.DataFrame) -> float:
    """Largest relative gap between the scores kept and those that the training rows give."""
    rows = fit.out_of_fold.set_index("session")
    truth = known.assign(volatility=forecast_volatility(known)).set_index("session").reindex(rows.index)
    scores = (truth["target_log_return"] - rows["predicted"]).abs() / truth["volatility"]
    return _relative_gap(np.asarray(fit.calibration.scores), scores.to_numpy(dtype=float))


def _known(fit: StoredModel, history: pd.DataFrame) -> pd.DataFrame:
    """What a fit could see: its labelled rows, and as many sessions before them as the first features need."""
    session = history["session"]
    first = int(session.searchsorted(pd.Timestamp(fit.manifest.train_start)))
    last = int(session.searchsorted(pd.Timestamp(fit.manifest.train_end)))
    return history.iloc[max(first - WARM_UP, 0) : last + 1].reset_index(drop=True)


def _relative_gap(held: np.ndarray, expected: np.ndarray) -> float:
    if np.shape(held) != np.shape(expected):
        return float("inf")
    scale = np.maximum(np.abs(expected), np.max(np.abs(expected), initial=0.0) * 1e-6)
    gaps = np.abs(held - expected) / np.where(scale > 0, scale, 1.0)
    return float(np.nan_to_num(gaps, nan=np.inf).max(initial=0.0))
