"""What the page *Backtest* computes from predictions: errors, differences to the random walk, folds, regimes."""

from collections.abc import Sequence

import numpy as np
import pandas as pd

from dashboard.selection import Selection
from dashboard.theme import BENCHMARK
from dashboard.views._base import NothingToShow, require
from storage.names import suggest

REGIMES = ("calm", "middle", "restless")
_BY_DEFAULT = 3
_BACKTEST = "`stock-assets backtest` predicts earlier sessions as if they were the newest"


def tested_rows(predictions: pd.DataFrame, ticker: str, models: Sequence[str]) -> pd.DataFrame:
    """Rows that no fit had seen, with what happened: of the backtest if one of `models` has one, else of the holdout.

    Args:
        predictions: rows of table `predictions`, role test.

    Returns:
        The rows, by model and target session, with `error` (log return predicted - actual, in per cent) and
        `walk_error`, the random walk's on the same row.

    Raises:
        NothingToShow: there are none.
    """
    known = predictions.dropna(subset=["actual", "actual_log_return"])
    asked = known[known["model"].isin(models) if models else known["model"] != BENCHMARK]
    scheme = "walk_forward" if (asked["scheme"] == "walk_forward").any() else "holdout"
    rows = require(known[known["scheme"] == scheme], f"{ticker} has no tested predictions yet", _BACKTEST)
    return rows.sort_values(["model", "target_session"]).assign(
        error=100 * (rows["predicted_log_return"] - rows["actual_log_return"]),
        walk_error=-100 * rows["actual_log_return"],
    )


def within(rows: pd.DataFrame, selection: Selection) -> pd.DataFrame:
    """Rows whose target session is among the chosen ones; `NothingToShow` where there are none."""
    sessions = rows["target_session"]
    start, end = pd.Timestamp(selection.start or sessions.min()), pd.Timestamp(selection.end or sessions.max())
    return require(
        rows[sessions.between(start, end)],
        "no session that was chosen has been tested",
        f"choose sessions between {sessions.min():%Y-%m-%d} and {sessions.max():%Y-%m-%d}",
    )


def compare(rows: pd.DataFrame) -> pd.DataFrame:
    """Scores of each model and of the random walk on the same rows: the random walk first, then least error first."""
    scores = pd.DataFrame([_scores(str(model), own) for model, own in rows.groupby("model")])
    return scores.sort_values(["model", "rmse"], key=lambda c: c != BENCHMARK if c.name == "model" else c)


def choose(comparison: pd.DataFrame, wanted: Sequence[str]) -> list[str]:
    """Models to draw beside the random walk: those that are wanted and were tested, else the three with least error.

    Raises:
        NothingToShow: none of those that are wanted was tested.
    """
    tested = comparison["model"].tolist()
    if not wanted:
        return [model for model in tested if model != BENCHMARK][:_BY_DEFAULT]
    chosen = [model for model in wanted if model in tested]
    if not chosen:
        raise NothingToShow(f"{', '.join(wanted)} has no tested predictions here", cure=suggest(wanted[0], tested))
    return [model for model in chosen if model != BENCHMARK]


def cumulative_gain(own: pd.DataFrame) -> pd.Series:
    """Sum so far of the random walk's squared error less a model's, in squared per cent (Goyal & Welch, 2008).

    Where it rises, the model was nearer to what happened than the random walk.
    """
    gain: pd.Series = (own["walk_error"] ** 2 - own["error"] ** 2).cumsum()
    return gain


def skill_by_regime(rows: pd.DataFrame) -> pd.DataFrame:
    """Each model's skill in each third of its rows by volatility, as `calibration` has them: model, group, value."""
    found = []
    for model, own in rows.groupby("model"):
        order = np.argsort(own["volatility"].to_numpy(), kind="stable")
        found += [
            {"model": model, "group": regime, "value": _skill(own.iloc[third])}
            for regime, third in zip(REGIMES, np.array_split(order, len(REGIMES)), strict=True)
        ]
    return pd.DataFrame(found, columns=["model", "group", "value"])


def coverage_by_regime(calibration: pd.DataFrame) -> pd.DataFrame:
    """The same frame of the 90 % interval's coverage, from rows of table `calibration`."""
    wide = calibration[["model", *(f"coverage_{regime}" for regime in REGIMES)]]
    long = wide.melt("model", var_name="group", value_name="value")
    return long.assign(group=long["group"].str.removeprefix("coverage_"))


def skill_by_fold(folds: pd.DataFrame) -> pd.DataFrame:
    """The same frame of each fold's skill, named by its first month, from rows of table `backtest_folds`."""
    ordered = folds.sort_values(["test_start", "model"])
    return ordered.assign(group=ordered["test_start"].dt.strftime("%Y-%m"), value=ordered["skill_vs_naive"])


def _scores(model: str, own: pd.DataFrame) -> dict[str, object]:
    error = own["predicted"] - own["actual"]
    signs = np.sign(own["predicted_log_return"] * own["actual_log_return"])
    inside = own["actual"].between(own["lower_90"], own["upper_90"])
    return {
        "model": model,
        "rmse": float(np.sqrt((error**2).mean())),
        "skill_vs_naive": _skill(own),
        "directional_accuracy": float((signs > 0).sum() / (signs != 0).sum()) if (signs != 0).any() else np.nan,
        "coverage_90": float(inside.mean()),
    }


def _skill(own: pd.DataFrame) -> float:
    walk = float(((own["naive"] - own["actual"]) ** 2).mean()) if len(own) else 0.0
    return float(1 - np.sqrt(((own["predicted"] - own["actual"]) ** 2).mean() / walk)) if walk else np.nan
