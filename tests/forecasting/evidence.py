"""Evidence as the tables hold it, made from a few numbers: what the promotion rule reads."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from stock_assets.forecasting.lookahead import Examination
from stock_assets.forecasting.stored_model import StoredModel, Trained
from storage.tables import BACKTEST_FOLDS
from tests.forecasting.scored import predictions_of
from tests.storage.frames import rows

NO_FOLDS = pd.DataFrame(columns=list(BACKTEST_FOLDS.column_names))


@dataclass(frozen=True)
class Evidence:
    """What one model has to show. Defaults pass, with an RMSE of 2 for the random walk."""

    p: float = 0.001
    rmse: float = 1.98
    n: int = 750
    covered: tuple[float, float, float] = (0.90, 0.88, 0.92)
    """Coverage of the 90 % intervals, and the ends of its Wilson interval."""


def evaluated(models: Mapping[str, Evidence], *, last_session: str = "2026-01-15") -> pd.DataFrame:
    """Rows of table `evaluation`: walk-forward ones, and holdout ones that say the opposite."""
    shared = {"ticker": "T", "rmse_random_walk": 2.0, "last_session": pd.Timestamp(last_session)}
    parts = [
        _scores(e, model=name, scheme="walk_forward", role="test", rmse=e.rmse, clark_west_p=e.p)
        for name, e in ({"random_walk": Evidence(p=np.nan, rmse=2.0)} | dict(models) if models else {}).items()
    ]
    parts += [
        _scores(e, model=name, scheme="holdout", role="test", rmse=4 - e.rmse, clark_west_p=0.5 - e.p)
        for name, e in models.items()
    ]
    return pd.concat([rows("evaluation", 0), *parts], ignore_index=True).assign(**shared)


def calibrated(models: Mapping[str, Evidence]) -> pd.DataFrame:
    """Rows of table `calibration` for the 90 and 95 % intervals; the latter are bad, and nobody asked."""
    parts = [
        rows(
            "calibration",
            1,
            model=name,
            scheme="walk_forward",
            role="test",
            level=level,
            coverage=value,
            coverage_lower=lower,
            coverage_upper=upper,
        )
        for name, e in models.items()
        for level, (value, lower, upper) in ((90, e.covered), (95, (0.5, 0.4, 0.6)))
    ]
    return pd.concat([rows("calibration", 0), *parts], ignore_index=True)


def audited(models: Mapping[str, Evidence]) -> pd.DataFrame:
    """Rows of table `audit` in which every proof of features, splits and models' final fits has passed."""
    subjects = {"features": None, "splits": None, **{name: f"{name}-final" for name in models}}
    parts = [
        rows("audit", 1, subject=subject, name="truncated", kind="proof", passed=True, model_version=version)
        for subject, version in subjects.items()
    ]
    return pd.concat(parts, ignore_index=True)


def walk_forward(predicted: Mapping[str, np.ndarray], actual: np.ndarray | None = None) -> pd.DataFrame:
    """Walk-forward rows of table `predictions`, from log returns."""
    none = predictions_of("random_walk", np.zeros(1), np.zeros(1), fold="wf_00", role="test").iloc[:0]
    if actual is None:
        return none
    return pd.concat(
        [predictions_of(name, values, actual, fold="wf_00", role="test") for name, values in predicted.items()]
    )


def _scores(evidence: Evidence, **fixed: object) -> pd.DataFrame:
    return rows("evaluation", 1, **fixed).assign(n=evidence.n)


def folds_on(sessions: pd.Series, **changed: list[int]) -> pd.DataFrame:
    """Two walk-forward folds of sarima, given as positions of sessions."""
    at = {"train_end": [300, 350], "test_start": [302, 352], "test_end": [351, 401]} | changed
    columns = {name: sessions.iloc[places].to_numpy() for name, places in at.items()}
    return rows("backtest_folds", 2, model="sarima", fold=["wf_00", "wf_01"], model_version=["a", "b"]).assign(
        **columns
    )


def fits_of(trained: Trained) -> list[StoredModel]:
    """As the audit takes them: the final fit first."""
    return [trained.final, trained.evaluated]


def by_name(found: Iterable[Examination]) -> dict[str, Examination]:
    """What was examined, by name."""
    return {one.name: one for one in found}
