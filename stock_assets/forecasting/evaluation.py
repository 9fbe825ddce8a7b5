"""Evaluation: scores of every model and role, the random walk on identical rows beside them."""

import numpy as np
import pandas as pd

from stock_assets.forecasting import metrics
from stock_assets.forecasting.errors import UnequalRows
from stock_assets.forecasting.intervals import LEVELS
from stock_assets.forecasting.models import BENCHMARK
from stock_assets.forecasting.significance import clark_west, diebold_mariano
from stock_assets.forecasting.splits import HOLDOUT, roles

_ROLE_ORDER = ("validation", "test", "live")


def scale_mae(prices: pd.DataFrame, splits: pd.DataFrame) -> float:
    """The random walk's mean absolute error on training rows, in the ticker's currency: the scale of MASE.

    Args:
        prices: one ticker's rows of table `prices`.
        splits: its rows of table `splits`.
    """
    bars = prices.sort_values("session", ignore_index=True)
    next_close = bars["close"] * bars["adj_close"].shift(-1) / bars["adj_close"]
    is_train = bars["session"].map(roles(splits)) == "train"
    return metrics.mae(next_close[is_train], bars["close"][is_train])


def on_current_splits(
    predictions: pd.DataFrame, splits: pd.DataFrame, features: pd.DataFrame
) -> tuple[pd.DataFrame, list[str]]:
    """Keep the models whose holdout predictions were made on these splits.

    After the boundaries moved, models that were not retrained yet have seen other rows: they cannot be compared.

    Args:
        predictions: rows of table `predictions` of one ticker, all models.
        splits: the ticker's rows of table `splits`.
        features: its rows of table `features`; a session that has left the history is not expected any more.

    Returns:
        The rows of the models that were, and the names of those that were not.
    """
    role = roles(splits)
    expected = role[role.isin(["validation", "test"]) & role.index.isin(features["session"])]
    outdated = [str(model) for model, rows in predictions.groupby("model") if not expected.equals(_holdout_roles(rows))]
    return predictions[~predictions["model"].isin(outdated)].reset_index(drop=True), outdated


def evaluate(predictions: pd.DataFrame, *, scale_mae: float) -> pd.DataFrame:
    """Score every model, scheme and role over the rows whose actual close is known.

    Args:
        predictions: rows of table `predictions` of one ticker, all models.
        scale_mae: from the function of that name.

    Returns:
        Frame of table `evaluation`. Errors and widths are of closes; direction, spread and both tests are of log
        returns, whose size does not grow with the price.

    Raises:
        UnequalRows: the models of a holdout or walk-forward role do not share their sessions. Live rows may differ: a
            model that came later has fewer, and its random walk is taken from its own rows.
    """
    known = predictions[predictions["actual"].notna() & predictions["actual_log_return"].notna()]
    for (scheme, role), rows in known[known["scheme"] != "live"].groupby(["scheme", "role"]):
        _check_same_rows(rows, subject=f"{scheme} {role}")
    scores = [
        {"ticker": ticker, "model": model, "scheme": scheme, "role": role, **_scores(rows, scale_mae)}
        for (ticker, model, scheme, role), rows in known.groupby(["ticker", "model", "scheme", "role"])
    ]
    return pd.DataFrame(scores, columns=_COLUMNS).astype({name: _dtype(name) for name in _COLUMNS})


def as_markdown(evaluation: pd.DataFrame) -> str:
    """A compact leaderboard per scheme and role: the benchmark first, the others by RMSE."""
    if evaluation.empty:
        return "No prediction has an actual close yet."
    order = evaluation.assign(
        _role=evaluation["role"].map(_ROLE_ORDER.index), _challenger=evaluation["model"] != BENCHMARK
    ).sort_values(["scheme", "_role", "_challenger", "rmse", "model"])
    parts = []
    for (scheme, role), rows in order.groupby(["scheme", "role"], sort=False):
        first = rows.iloc[0]
        parts += [
            f"**{scheme} · {role}**: {first['n']} sessions, {first['first_session']:%Y-%m-%d} to "
            f"{first['last_session']:%Y-%m-%d}",
            "",
            "| model | RMSE | MAE | MAPE | skill | right direction | Clark–West p | 90 % coverage | 90 % width |",
            "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
            *(_markdown_row(row) for _, row in rows.iterrows()),
            "",
        ]
    return "\n".join(parts).rstrip()


_COLUMNS = [
    *("ticker", "model", "scheme", "role", "n", "first_session", "last_session"),
    *("rmse", "rmse_random_walk", "mae", "mae_random_walk", "mape", "mase", "skill_vs_naive"),
    *("directional_accuracy", "std_ratio", "clark_west_p", "dm_hln_p"),
    *(f"coverage_{level}" for level in LEVELS),
    "width_90",
]


def _dtype(name: str) -> str:
    if name in ("ticker", "model", "scheme", "role"):
        return "object"
    if name in ("first_session", "last_session"):
        return "datetime64[ns]"
    return "int64" if name == "n" else "float64"


def _holdout_roles(rows: pd.DataFrame) -> pd.Series:
    """Role of each as-of session in the holdout fold of one model's predictions, ascending."""
    holdout = rows[rows["fold"] == HOLDOUT].sort_values("session")
    role: pd.Series = holdout.set_index("session")["role"]
    return role


def _check_same_rows(rows: pd.DataFrame, *, subject: str) -> None:
    expected = pd.MultiIndex.from_frame(rows[["fold", "target_session"]].drop_duplicates())
    for model, own in rows.groupby("model"):
        lacking = expected.difference(pd.MultiIndex.from_frame(own[["fold", "target_session"]]))
        if len(lacking):
            sessions = ", ".join(f"{session:%Y-%m-%d}" for _, session in lacking[:3])
            raise UnequalRows(
                f"{model} lacks {len(lacking)} of the {len(expected)} {subject} sessions that other models predicted "
                f"({sessions}{' …' if len(lacking) > 3 else ''}); expected the same sessions for all",
                cure=f"materialise predictions/{model} again",
            )


def _scores(rows: pd.DataFrame, scale: float) -> dict[str, object]:
    rows = rows.sort_values("target_session")
    actual, predicted, naive = rows["actual"], rows["predicted"], rows["naive"]
    actual_return, predicted_return = rows["actual_log_return"], rows["predicted_log_return"]
    return {
        "n": len(rows),
        "first_session": rows["target_session"].iloc[0],
        "last_session": rows["target_session"].iloc[-1],
        "rmse": metrics.rmse(actual, predicted),
        "rmse_random_walk": metrics.rmse(actual, naive),
        "mae": metrics.mae(actual, predicted),
        "mae_random_walk": metrics.mae(actual, naive),
        "mape": metrics.mape(actual, predicted),
        "mase": metrics.mase(actual, predicted, scale),
        "skill_vs_naive": metrics.skill_vs_naive(actual, predicted, naive),
        "directional_accuracy": metrics.directional_accuracy(actual_return, predicted_return),
        "std_ratio": metrics.std_ratio(actual_return, predicted_return),
        "clark_west_p": clark_west(actual_return, predicted_return),
        "dm_hln_p": diebold_mariano(actual_return, actual_return - predicted_return, alternative="greater"),
        **{
            f"coverage_{level}": metrics.coverage(actual, rows[f"lower_{level}"], rows[f"upper_{level}"])
            for level in LEVELS
        },
        "width_90": metrics.mean_width(rows["lower_90"], rows["upper_90"]),
    }


def _markdown_row(row: pd.Series) -> str:
    is_benchmark = row["model"] == BENCHMARK
    cells = [
        f"**{row['model']}** (benchmark)" if is_benchmark else row["model"],
        f"{row['rmse']:.3f}",
        f"{row['mae']:.3f}",
        f"{row['mape']:.2%}",
        "–" if is_benchmark else f"{row['skill_vs_naive']:+.2%}",
        _or_dash(row["directional_accuracy"], ".1%"),
        _or_dash(row["clark_west_p"], ".3f"),
        f"{row['coverage_90']:.1%}",
        f"{row['width_90']:.2f}",
    ]
    return f"| {' | '.join(cells)} |"


def _or_dash(value: float, form: str) -> str:
    return "–" if np.isnan(value) else f"{value:{form}}"
