"""Scores: every figure of table `evaluation`, from the aligned arrays of one model, scheme and role.

Errors, widths and CRPS are of closes; direction, spread and all tests are of log returns, whose size does not grow with
the price.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stock_assets.forecasting import metrics, resampling, significance
from stock_assets.forecasting.intervals import LEVELS
from stock_assets.forecasting.models import BENCHMARK
from stock_assets.forecasting.models._base import Floats
from stock_assets.forecasting.significance import minimum_detectable_skill

RESAMPLED = ("skill_lower", "skill_upper", "mcs_p")
_OUTWARD = sorted(LEVELS)
_PROBABILITIES = np.array(
    [*((1 - level / 100) / 2 for level in reversed(_OUTWARD)), 0.5, *((1 + level / 100) / 2 for level in _OUTWARD)]
)
_QUANTILES = [
    *(f"lower_{level}" for level in reversed(_OUTWARD)),
    "predicted",
    *(f"upper_{level}" for level in _OUTWARD),
]
_RETURNS = ["actual_log_return", "predicted_log_return"]
_NUMBERS = ["actual", "naive", *_RETURNS, *_QUANTILES]


@dataclass(frozen=True)
class Scored:
    """What one model said about n sessions, in time order, and what happened: `_NUMBERS`, shape (columns, n)."""

    sessions: NDArray[np.datetime64]
    numbers: Floats

    @classmethod
    def of(cls, rows: pd.DataFrame) -> Self:
        """From one model's rows of table `predictions`, of one scheme and role, in time order."""
        numbers = np.ascontiguousarray(rows[_NUMBERS].to_numpy(dtype=float).T)
        return cls(rows["target_session"].to_numpy(dtype="datetime64[ns]"), numbers)

    def __len__(self) -> int:
        """Number of sessions."""
        return len(self.sessions)

    def __getitem__(self, column: str) -> Floats:
        """One column, shape (n,)."""
        values: Floats = self.numbers[_NUMBERS.index(column)]
        return values

    @property
    def quantiles(self) -> Floats:
        """Forecast quantiles of the close, shape (levels, n); the prediction stands for the median."""
        values: Floats = self.numbers[-len(_QUANTILES) :]
        return values


def point_scores(rows: Scored, scale: float) -> dict[str, Any]:
    """Everything that needs no resampling, of one model's rows; `scale` is that of MASE."""
    actual, predicted, naive = rows["actual"], rows["predicted"], rows["naive"]
    returned, said = rows["actual_log_return"], rows["predicted_log_return"]
    error = returned - said
    return {
        "n": len(rows),
        "first_session": rows.sessions[0],
        "last_session": rows.sessions[-1],
        "rmse": metrics.rmse(actual, predicted),
        "rmse_random_walk": metrics.rmse(actual, naive),
        "mae": metrics.mae(actual, predicted),
        "mae_random_walk": metrics.mae(actual, naive),
        "mape": metrics.mape(actual, predicted),
        "mase": metrics.mase(actual, predicted, scale),
        "skill_vs_naive": metrics.skill_vs_naive(actual, predicted, naive),
        "directional_accuracy": metrics.directional_accuracy(returned, said),
        "std_ratio": metrics.std_ratio(returned, said),
        "minimum_detectable_skill": minimum_detectable_skill(len(rows)),
        "clark_west_p": significance.clark_west(returned, said),
        "dm_hln_p": significance.diebold_mariano(returned, error, alternative="greater"),
        "dm_hln_abs_p": significance.diebold_mariano(returned, error, power=1, alternative="greater"),
        "pesaran_timmermann_p": significance.pesaran_timmermann(returned, said),
        "directional_accuracy_lower": significance.accuracy_lower_bound(returned, said),
        "up_share": significance.up_share(returned, said),
        "crps": metrics.crps(actual, rows.quantiles, _PROBABILITIES),
        **{
            f"coverage_{level}": metrics.coverage(actual, rows[f"lower_{level}"], rows[f"upper_{level}"])
            for level in LEVELS
        },
        "width_90": metrics.mean_width(rows["lower_90"], rows["upper_90"]),
    }


def rows_version(models: Mapping[str, Scored]) -> str:
    """Hash of what resampled figures depend on: the rows of all models of a scheme and role, and how they are made."""
    state = hashlib.sha256(resampling.resampling_version().encode())
    for name in sorted(models):
        state.update(name.encode())
        state.update(models[name].sessions.tobytes())
        state.update((models[name].numbers + 0.0).tobytes())  # one bit pattern for both zeros
    return state.hexdigest()[:16]


def resampled_scores(models: Mapping[str, Scored]) -> dict[str, dict[str, float]]:
    """Interval of skill and confidence set of the models of one scheme and role: by model, the columns `RESAMPLED`.

    Models on the same sessions share the same resamples. The confidence set is over those on the random walk's sessions
    (all, except of live rows), by squared error of log returns. NaN where there are too few rows, or nothing to
    compare.
    """
    alike: dict[bytes, list[str]] = {}
    for name in sorted(models):
        alike.setdefault(models[name].sessions.tobytes(), []).append(name)
    return {
        name: figures
        for names in alike.values()
        for name, figures in _resampled({name: models[name] for name in names}).items()
    }


def _resampled(models: Mapping[str, Scored]) -> dict[str, dict[str, float]]:
    names, first = list(models), next(iter(models.values()))
    if len(first) < resampling.MIN_ROWS:
        return {name: dict.fromkeys(RESAMPLED, float("nan")) for name in names}
    returned = first["actual_log_return"]
    losses = np.column_stack([(returned - rows["predicted_log_return"]) ** 2 for rows in models.values()])
    block = resampling.block_length(losses - (returned**2)[:, None])
    shares = resampling.draw_shares(len(first), block)
    is_set = BENCHMARK in models and len(models) > 1
    p_values = resampling.confidence_set(shares, losses) if is_set else np.full(len(names), np.nan)
    figures = {}
    for (name, rows), p_value in zip(models.items(), p_values, strict=True):
        squared, naive = (rows["predicted"] - rows["actual"]) ** 2, (rows["naive"] - rows["actual"]) ** 2
        ends = resampling.skill_interval(shares, squared, naive)
        figures[name] = dict(zip(RESAMPLED, (*ends, float(p_value)), strict=True))
    return figures
