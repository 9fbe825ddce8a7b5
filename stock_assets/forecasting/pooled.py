"""Pooled evaluation: each model over all tickers at once.

One ticker's skill is too small to show; the sum of many may not be. Errors are in units of each row's volatility
forecast, so that no ticker and no crisis speaks for all, and days are the clusters, since one market moves all tickers.
The tables of a universe do not fit in memory beside each other: a few tickers at a time are reduced to sums by session.
"""

from collections.abc import Iterable
from datetime import datetime

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from stock_assets.forecasting.models import BENCHMARK
from stock_assets.forecasting.significance import LEVEL

GROUP = ["scheme", "role", "model"]
_SCORED = ["ticker", *GROUP]
_DAY = [*GROUP, "target_session"]
_SUMS = ["n", "adjusted", "squared", "squared_naive"]


def session_sums(predictions: pd.DataFrame, evaluation: pd.DataFrame) -> pd.DataFrame:
    """Reduce some tickers' predictions to what pooling needs; what `evaluation` left out is left out here.

    Returns:
        One row per scheme, role, model and target session: the number of rows and the sums of the Clark–West adjusted
        difference, of the squared error and of the random walk's, all of log returns in units of volatility.
    """
    scored = predictions[predictions["actual_log_return"].notna()].merge(evaluation[_SCORED], on=_SCORED)
    actual = scored["actual_log_return"] / scored["volatility"]
    error = actual - scored["predicted_log_return"] / scored["volatility"]
    sums = scored[_DAY].assign(
        n=1,
        adjusted=actual**2 - error**2 + (scored["predicted_log_return"] / scored["volatility"]) ** 2,
        squared=error**2,
        squared_naive=actual**2,
    )
    return sums.groupby(_DAY, as_index=False)[_SUMS].sum()


def pool(sums: Iterable[pd.DataFrame], evaluation: pd.DataFrame, *, evaluated_at: datetime) -> pd.DataFrame:
    """Frame of table `pooled_evaluation`, typed also where it is empty: every model over all tickers.

    Each ticker is in one of `sums`, from `session_sums`, which are read one after the other; `evaluation` has the rows
    of all tickers. `evaluated_at` is now, aware.
    """
    total = pd.DataFrame(columns=[*_DAY, *_SUMS])
    for part in sums:
        both = pd.concat([total, part], ignore_index=True) if len(total) else part
        total = both.groupby(_DAY, as_index=False)[_SUMS].sum()
    p_values = dict(iter(evaluation.groupby(GROUP)["clark_west_p"]))
    rows = []
    for group, days in total.groupby(GROUP):
        t, p_value = clustered_mean_test(days["adjusted"], days["n"])
        is_benchmark = group[-1] == BENCHMARK
        rows.append(
            {
                **dict(zip(GROUP, group, strict=True)),
                "n_tickers": len(p_values[group]),
                "n_sessions": len(days),
                "n": days["n"].sum(),
                "skill": 1 - np.sqrt(days["squared"].sum() / days["squared_naive"].sum()),
                "clark_west_t": t,
                "clark_west_p": p_value,
                "n_discoveries": 0 if is_benchmark else int(is_discovery(p_values[group]).sum()),
                "evaluated_at": pd.Timestamp(evaluated_at).tz_convert("UTC"),
            }
        )
    return pd.DataFrame(rows, columns=list(_TYPES)).astype(_TYPES)


def as_markdown(pooled: pd.DataFrame) -> str:
    """The pooled figures, the benchmark first, and what they say in a sentence."""
    if pooled.empty:
        return "No ticker has been evaluated yet."
    parts = []
    for (scheme, role), rows in pooled.groupby(["scheme", "role"]):
        ordered = rows.assign(_challenger=rows["model"] != BENCHMARK).sort_values(
            ["_challenger", "clark_west_p", "model"]
        )
        better = rows[(rows["clark_west_p"] < LEVEL) & (rows["skill"] > 0)]["model"]
        parts += [
            f"**{scheme} · {role}**: {rows['n_tickers'].max()} tickers, {rows['n_sessions'].max()} sessions",
            "",
            "| model | skill | pooled Clark–West p | tickers it beats the random walk on |",
            "|---|---:|---:|---:|",
            *(_markdown_row(row) for _, row in ordered.iterrows()),
            "",
            f"Better than the random walk over all tickers at {LEVEL:.0%}, one by one: {', '.join(sorted(better))}."
            if len(better)
            else "Over all tickers no model is shown to be better than the random walk.",
            "",
        ]
    return "\n".join(parts).rstrip()


def _markdown_row(row: pd.Series) -> str:
    if row["model"] == BENCHMARK:
        return f"| **{BENCHMARK}** (benchmark) | – | – | – |"
    p_value = "–" if np.isnan(row["clark_west_p"]) else f"{row['clark_west_p']:.3f}"
    return f"| {row['model']} | {row['skill']:+.2%} | {p_value} | {row['n_discoveries']} of {row['n_tickers']} |"


def clustered_mean_test(sums: ArrayLike, counts: ArrayLike) -> tuple[float, float]:
    """Test that the mean of all values is above 0, where values of one cluster depend on each other.

    The variance of the mean is G / (G − 1) · Σ (sum − count · mean)² / N² over G clusters of N values (Liang & Zeger
    1986, Biometrika 73; with the small-sample factor of Cameron & Miller 2015, Journal of Human Resources 50). Of the
    adjusted differences of Clark & West (2007), over a panel, it is their test pooled.

    Takes sums and counts of the clusters, shape (G,). Gives the t statistic and the one-sided p-value from Student's t
    with G − 1 degrees of freedom; NaN where there are fewer than two clusters or no variation.
    """
    from scipy.special import stdtr

    total, count = np.asarray(sums, dtype=float), np.asarray(counts, dtype=float)
    n_clusters, mean = len(total), total.sum() / count.sum()
    if n_clusters < 2:
        return float("nan"), float("nan")
    variance = n_clusters / (n_clusters - 1) * np.sum((total - count * mean) ** 2) / count.sum() ** 2
    if not variance > np.finfo(float).eps ** 2 * mean**2:
        return float("nan"), float("nan")
    t = float(mean / np.sqrt(variance))
    return t, float(stdtr(n_clusters - 1, -t))


def is_discovery(p_values: "pd.Series[float]", *, level: float = LEVEL) -> "pd.Series[bool]":
    """Which tests reject when the expected share of false ones among those that do is to stay below `level`.

    Benjamini & Hochberg (1995), Journal of the Royal Statistical Society B 57. View `discoveries` is the same in SQL.
    NaN counts as a test that was made and found nothing.
    """
    from scipy.stats import false_discovery_control

    if p_values.empty:
        return p_values < level
    return pd.Series(false_discovery_control(p_values.fillna(1.0)) < level, index=p_values.index)


_TYPES = {
    **dict.fromkeys(GROUP, "object"),
    **dict.fromkeys(["n_tickers", "n_sessions", "n"], "int64"),
    **dict.fromkeys(["skill", "clark_west_t", "clark_west_p"], "float64"),
    "n_discoveries": "int64",
    "evaluated_at": "datetime64[ns, UTC]",
}
