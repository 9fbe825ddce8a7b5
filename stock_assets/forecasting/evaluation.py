"""Evaluation: which rows are scored, the random walk on identical rows beside every model, and what people read."""

import numpy as np
import pandas as pd

from stock_assets.forecasting import metrics
from stock_assets.forecasting.errors import UnequalRows
from stock_assets.forecasting.intervals import LEVELS
from stock_assets.forecasting.models import BENCHMARK
from stock_assets.forecasting.scores import RESAMPLED, Scored, point_scores, resampled_scores, rows_version
from stock_assets.forecasting.significance import LEVEL
from stock_assets.forecasting.splits import HOLDOUT, LIVE, WALK_FORWARD, roles

_ROLE_ORDER = ("validation", "test", "live")
_GROUP = ["scheme", "role"]
_ROW = ["fold", "target_session"]
_ROUNDING = 1e-6
"""Log return by which outcomes may differ where a dividend has rescaled all earlier closes."""


def scale_mae(prices: pd.DataFrame, splits: pd.DataFrame) -> float:
    """The random walk's mean absolute error on training rows of a ticker, in its currency: the scale of MASE."""
    bars = prices.sort_values("session", ignore_index=True)
    next_close = bars["close"] * bars["adj_close"].shift(-1) / bars["adj_close"]
    is_train = bars["session"].map(roles(splits)) == "train"
    return metrics.mae(next_close[is_train], bars["close"][is_train])


def on_current_splits(
    predictions: pd.DataFrame, splits: pd.DataFrame, features: pd.DataFrame
) -> tuple[pd.DataFrame, list[str]]:
    """Keep the models whose holdout predictions were made on these splits.

    After the boundaries moved, models that were not retrained yet have seen other rows: they cannot be compared. Folds
    of the walk-forward backtest do not depend on these boundaries, and stay. A session that has left the history, by
    the ticker's `features`, is not expected any more. Returns the rows of the models that were, and the names of those
    that were not.
    """
    role = roles(splits)
    expected = role[role.isin(["validation", "test"]) & role.index.isin(features["session"])]
    by_splits = predictions["scheme"] != WALK_FORWARD
    scored = predictions[predictions["fold"] == HOLDOUT].sort_values("session").set_index("session")
    outdated = [
        str(model)
        for model in sorted(predictions["model"][by_splits].unique())
        if not expected.equals(scored.loc[scored["model"] == model, "role"])
    ]
    return predictions[~(by_splits & predictions["model"].isin(outdated))].reset_index(drop=True), outdated


def on_equal_folds(predictions: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Keep the walk-forward rows of models whose folds, sessions and outcomes are the random walk's.

    A backtest of one model that is newer, or has other folds, than the random walk's cannot be compared with it; nor
    can one of bars that were corrected between the two. Returns the rows, those of other schemes untouched, and the
    names of the models whose walk-forward rows were left out.
    """
    walked = predictions[predictions["scheme"] == WALK_FORWARD]
    expected = _rows_of(walked[walked["model"] == BENCHMARK])
    unequal = [str(model) for model, rows in walked.groupby("model") if not _is_equal(_rows_of(rows), expected)]
    is_left_out = (predictions["scheme"] == WALK_FORWARD) & predictions["model"].isin(unequal)
    return predictions[~is_left_out].reset_index(drop=True), unequal


def evaluate(predictions: pd.DataFrame, *, scale_mae: float, earlier: pd.DataFrame | None = None) -> pd.DataFrame:
    """Frame of table `evaluation`: every model, scheme and role of a ticker, over the rows whose actual close is known.

    Where the rows scored are the same as in `earlier`, what is stored of that table, the resampled figures are taken
    from there.

    Raises:
        UnequalRows: the models of a holdout or walk-forward role do not share their sessions. Live rows may differ: a
            model that came later has fewer, and its random walk is taken from its own rows.
    """
    known = predictions[predictions["actual"].notna() & predictions["actual_log_return"].notna()]
    known = known.sort_values(["scheme", "role", "model", "target_session", "fold"])
    stored = {} if earlier is None else _resampled_before(earlier)
    scores = []
    for group, rows in known.groupby(_GROUP):
        scheme, role = map(str, group)
        if scheme != LIVE:
            _check_same_rows(rows, scheme=scheme, role=role)
        models = {str(model): Scored.of(own) for model, own in rows.groupby("model")}
        version = rows_version(models)
        if not all((scheme, role, model, version) in stored for model in models):
            stored |= {(scheme, role, model, version): new for model, new in resampled_scores(models).items()}
        scores += [
            {
                **{"ticker": rows["ticker"].iloc[0], "model": model, "scheme": scheme, "role": role},
                "rows_version": version,
                **point_scores(own, scale_mae),
                **stored[scheme, role, model, version],
            }
            for model, own in models.items()
        ]
    table = pd.DataFrame(scores, columns=_COLUMNS).astype(_TYPES)
    return table.sort_values(["ticker", "model", "scheme", "role"], ignore_index=True)


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
            "| model | RMSE | MAE | skill | 95 % interval | right direction | Clark–West p | 90 % coverage | width |",
            "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
            *(_markdown_row(row) for _, row in rows.iterrows()),
            "",
            _in_words(rows),
            "",
        ]
    return "\n".join(parts).rstrip()


_COLUMNS = [
    *("ticker", "model", "scheme", "role", "rows_version", "n", "first_session", "last_session"),
    *("rmse", "rmse_random_walk", "mae", "mae_random_walk", "mape", "mase", "skill_vs_naive"),
    *("directional_accuracy", "std_ratio", "skill_lower", "skill_upper", "minimum_detectable_skill"),
    *("clark_west_p", "dm_hln_p", "dm_hln_abs_p", "pesaran_timmermann_p", "directional_accuracy_lower", "up_share"),
    *("mcs_p", "crps"),
    *(f"coverage_{level}" for level in LEVELS),
    "width_90",
]


_TYPES = dict.fromkeys(_COLUMNS, "float64") | {
    **dict.fromkeys(("ticker", "model", "scheme", "role", "rows_version"), "object"),
    **dict.fromkeys(("first_session", "last_session"), "datetime64[ns]"),
    "n": "int64",
}


def _all_alike(rows: pd.DataFrame) -> bool:
    """Whether every model has the same sessions, of rows sorted by model and session; quick, and nearly always true."""
    sizes = rows["model"].value_counts()
    if (sizes != sizes.iloc[0]).any():
        return False
    by_model = (rows[name].to_numpy().reshape(len(sizes), -1) for name in _ROW)
    return all(bool((values == values[0]).all()) for values in by_model)


def _rows_of(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[[*_ROW, "actual_log_return"]].sort_values(_ROW, ignore_index=True)


def _is_equal(rows: pd.DataFrame, expected: pd.DataFrame) -> bool:
    if not rows[_ROW].equals(expected[_ROW]):
        return False
    own, theirs = (frame["actual_log_return"].to_numpy(dtype=float) for frame in (rows, expected))
    return bool(np.allclose(own, theirs, rtol=0, atol=_ROUNDING, equal_nan=True))


def _resampled_before(earlier: pd.DataFrame) -> dict[tuple[str, str, str, str], dict[str, float]]:
    keys = earlier[["scheme", "role", "model", "rows_version"]].itertuples(index=False, name=None)
    figures: list[dict[str, float]] = earlier[list(RESAMPLED)].to_dict("records")  # type: ignore[assignment]
    return dict(zip(keys, figures, strict=True))


def _check_same_rows(rows: pd.DataFrame, *, scheme: str, role: str) -> None:
    if _all_alike(rows):
        return
    expected = pd.MultiIndex.from_frame(rows[_ROW].drop_duplicates())
    for model, own in rows.groupby("model"):
        lacking = expected.difference(pd.MultiIndex.from_frame(own[_ROW]))
        if len(lacking):
            sessions = ", ".join(f"{session:%Y-%m-%d}" for _, session in lacking[:3])
            raise UnequalRows(
                f"{model} lacks {len(lacking)} of the {len(expected)} {scheme} {role} sessions that other models "
                f"predicted ({sessions}{' …' if len(lacking) > 3 else ''}); expected the same sessions for all",
                cure=f"materialise {'backtest' if scheme == WALK_FORWARD else 'predictions'}/{model} again",
            )


def _in_words(rows: pd.DataFrame) -> str:
    """What the figures of one scheme and role say, and what so few rows cannot."""
    better = rows[(rows["clark_west_p"] < LEVEL) & (rows["rmse"] < rows["rmse_random_walk"])]["model"]
    least = rows["minimum_detectable_skill"].iloc[0]
    verdict = (
        f"Better than the random walk by Clark–West at {LEVEL:.0%}, each tested alone: {', '.join(better)}."
        if len(better)
        else "No model is shown to be better than the random walk."
    )
    if np.isnan(least):
        return f"{verdict} So few sessions can show no skill at all."
    return f"{verdict} A skill below {least:.1%} would mostly go unseen in {rows['n'].iloc[0]} sessions."


def _markdown_row(row: pd.Series) -> str:
    is_benchmark = row["model"] == BENCHMARK
    cells = [
        f"**{row['model']}** (benchmark)" if is_benchmark else row["model"],
        f"{row['rmse']:.3f}",
        f"{row['mae']:.3f}",
        "–" if is_benchmark else f"{row['skill_vs_naive']:+.2%}",
        "–" if np.isnan(row["skill_lower"]) else f"{row['skill_lower']:+.2%} to {row['skill_upper']:+.2%}",
        _or_dash(row["directional_accuracy"], ".1%"),
        _or_dash(row["clark_west_p"], ".3f"),
        f"{row['coverage_90']:.1%}",
        f"{row['width_90']:.2f}",
    ]
    return f"| {' | '.join(cells)} |"


def _or_dash(value: float, form: str) -> str:
    return "–" if np.isnan(value) else f"{value:{form}}"
