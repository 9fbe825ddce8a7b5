"""Champion: who is trusted. The random walk, until a model proves better on validation rows.

Validation decides and test is only reported: a test that picks the winner no longer says how good the winner is
(docs/adr/0021).
"""

from collections.abc import Collection, Mapping
from datetime import datetime

import numpy as np
import pandas as pd

from stock_assets.forecasting.errors import NotTrained
from stock_assets.forecasting.models import BENCHMARK
from stock_assets.forecasting.significance import holm
from stock_assets.forecasting.splits import HOLDOUT

LEVEL = 0.05
"""Chance of promoting any model of a ticker for which none is better than the random walk."""


def decide(
    evaluation: pd.DataFrame,
    *,
    ticker: str,
    versions: Mapping[str, str],
    promotable: Collection[str],
    decided_at: datetime,
) -> pd.DataFrame:
    """Choose the champion of one ticker.

    A model is promoted if, on holdout validation rows, its one-sided Clark–West p-value, adjusted by Holm over all
    promotable models, is below `LEVEL` and its RMSE is lower than the random walk's; among several, the one with the
    lowest RMSE.

    Args:
        evaluation: the ticker's rows of table `evaluation`.
        ticker: symbol.
        versions: version of each model's final fit.
        promotable: every model that may be promoted, scored today or not. The reference formulation never may.
        decided_at: now, aware.

    Returns:
        One row of table `champion`; its reason is a sentence with the numbers.

    Raises:
        NotTrained: the champion has no final fit.
    """
    scored = _holdout(evaluation, "validation")
    candidates = scored[scored.index.isin(promotable) & (scored.index != BENCHMARK)]
    # A model that is absent today was tried all the same: a smaller family would make promotion easier.
    family = {model: np.nan for model in promotable if model != BENCHMARK}
    adjusted = holm(family | {str(model): p_value for model, p_value in candidates["clark_west_p"].items()})
    candidates = candidates.assign(p_value=pd.Series(adjusted, dtype=float))
    is_better = (candidates["p_value"] < LEVEL) & (candidates["rmse"] < candidates["rmse_random_walk"])
    passed = candidates[is_better].sort_values("rmse")
    tested = candidates[candidates["p_value"].notna()].sort_values(["p_value", "rmse"])
    ranked = tested if passed.empty else passed
    champion = BENCHMARK if passed.empty else str(passed.index[0])
    if champion not in versions:
        raise NotTrained(
            f"{champion} is the champion of {ticker} and has no final fit; there are fits of "
            f"{', '.join(sorted(versions)) or 'no model'}",
            cure=f"materialise model/{champion}",
        )
    row = {
        "ticker": ticker,
        "decided_at": pd.Timestamp(decided_at).tz_convert("UTC"),
        "model": champion,
        "promoted": not passed.empty,
        "reason": _reason(champion, ranked, len(adjusted), _holdout(evaluation, "test")),
        "p_value": ranked["p_value"].iloc[0] if len(ranked) else np.nan,
        "n": scored["n"].max() if len(scored) else 0,
        "model_version": versions[champion],
        "review": None,
        "rule_holds": None,
        "failed_reviews": 0,
    }
    return pd.DataFrame([row]).astype({"decided_at": "datetime64[ns, UTC]", "n": "int64", "failed_reviews": "int64"})


def is_news(decision: pd.DataFrame, earlier: pd.DataFrame) -> bool:
    """Whether a decision says anything that the ticker's last one did not.

    Args:
        decision: from `decide`.
        earlier: the ticker's rows of table `champion`.
    """
    if earlier.empty:
        return True
    last = earlier.sort_values("decided_at").iloc[-1]
    return any(decision.iloc[0][name] != last[name] for name in ("model", "reason", "model_version"))


def _holdout(evaluation: pd.DataFrame, role: str) -> pd.DataFrame:
    rows = evaluation[(evaluation["scheme"] == HOLDOUT) & (evaluation["role"] == role)]
    return rows.set_index("model").sort_index()


def _reason(champion: str, ranked: pd.DataFrame, n_tested: int, test: pd.DataFrame) -> str:
    if ranked.empty:
        return "The random walk stays: no model could be tested against it on validation sessions."
    best, scores = ranked.index[0], ranked.iloc[0]
    numbers = (
        f"Clark-West p {_p(scores['p_value'])} (Holm over {n_tested} model{'s' if n_tested > 1 else ''}), "
        f"RMSE {scores['rmse']:.4g} against {scores['rmse_random_walk']:.4g} on {scores['n']} validation sessions"
    )
    verdict = (
        f"{best} beats the random walk: {numbers}"
        if champion == best
        else f"The random walk stays: the best candidate, {best}, does not prove better: {numbers}"
    )
    if best not in test.index:
        return f"{verdict}."
    rmse, benchmark, n = test.loc[best, ["rmse", "rmse_random_walk", "n"]]
    return f"{verdict}. On {n} test sessions, which do not decide, RMSE {rmse:.4g} against {benchmark:.4g}."


def _p(value: float) -> str:
    return f"= {value:.3f}" if value >= 0.001 else "< 0.001"
