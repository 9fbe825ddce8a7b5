"""Leak audit: proofs that nothing saw the future, and flags on what is too good to be believed without them.

A flag is no verdict: real skill raises it, too. It blocks promotion until the proofs have passed (`reviews.py`).
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pandas as pd

from stock_assets.forecasting.features import compute_features
from stock_assets.forecasting.findings import Finding
from stock_assets.forecasting.fit_provenance import examine_calibration, examine_scales, examine_training_end
from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.lookahead import Compute, Cut, Examination, cuts, examine_features, examine_predictions
from stock_assets.forecasting.models import BENCHMARK, Progress, quiet
from stock_assets.forecasting.splits import check_splits
from stock_assets.forecasting.stored_model import StoredModel

LARGEST_SKILL = 0.01
"""Skill of next-day forecasts above which a leak is the first explanation."""
LARGEST_P = 0.01
MIN_ROWS = 500
LARGEST_CORRELATION = float(np.sqrt(1 - (1 - LARGEST_SKILL) ** 2))
"""Correlation of prediction and outcome that gives a skill of `LARGEST_SKILL`, if the prediction is scaled at best."""
_Z_99 = 2.3263478740408408
_SPLIT_RULES = ("splits_disjoint", "splits_ordered", "splits_purged", "splits_complete")


@dataclass(frozen=True)
class Subject:
    """What the audit looks at of one ticker: its rows of the tables of those names; of `backtest_folds` maybe none."""

    prices: pd.DataFrame
    features: pd.DataFrame
    splits: pd.DataFrame
    folds: pd.DataFrame
    predictions: pd.DataFrame
    evaluation: pd.DataFrame


def audit(
    subject: Subject,
    fits: Mapping[str, Sequence[StoredModel]],
    *,
    ticker: str,
    audited_at: datetime,
    compute: Compute = compute_features,
    progress: Progress = quiet,
) -> pd.DataFrame:
    """Examine features, splits and every model's stored fits; gives the frame of table `audit`.

    The first of a model's fits is named in the table: the final one. `audited_at` is now, aware.
    """
    places = cuts(subject.prices)
    rows: list[tuple[str, str | None, Examination]] = [
        ("features", None, finding) for finding in examine_features(subject.features, places, compute=compute)
    ]
    rows += [("splits", None, finding) for finding in examine_splits(subject.splits, subject.folds, subject.features)]
    for model, stored in fits.items():
        progress(f"{model}: {len(stored)} fits")
        version = stored[0].manifest.version
        found = [*_examine_model(subject, model, stored, places, compute), *flags(subject, model)]
        rows += [(model, version, finding) for finding in found]
    return _table(rows, ticker, audited_at)


def _examine_model(
    subject: Subject, model: str, fits: Sequence[StoredModel], places: Sequence[Cut], compute: Compute
) -> list[Examination]:
    history = build_history(subject.prices, subject.features)
    folds = subject.folds[subject.folds["model"] == model]
    predictions = subject.predictions[subject.predictions["model"] == model]
    return [
        *examine_predictions(fits, history, places, compute=compute),
        examine_training_end(fits, folds, predictions, history["session"]),
        examine_scales(fits, history),
        examine_calibration(fits, history),
    ]


def examine_splits(splits: pd.DataFrame, folds: pd.DataFrame, features: pd.DataFrame) -> list[Examination]:
    """Prove that roles come in the order of time with a session purged between them, in the holdout and in every fold.

    Takes one ticker's rows of tables `splits`, `backtest_folds` and `features`.
    """
    broken = {finding.name: finding for finding in check_splits(splits, features)}
    found = [
        Examination(
            rule,
            rule not in broken,
            broken[rule].message if rule in broken else "it holds in every fold",
            len(broken[rule].sessions) if rule in broken else 0.0,
            0.0,
        )
        for rule in _SPLIT_RULES
    ]
    return [*found, _fold_order(folds, features["session"].sort_values())]


def _fold_order(folds: pd.DataFrame, sessions: pd.Series) -> Examination:
    known = pd.DatetimeIndex(sessions)
    wrong = []
    for model, rows in folds.sort_values("test_start").groupby("model"):
        start, end = (pd.DatetimeIndex(rows[name]) for name in ("test_start", "test_end"))
        n_purged = known.searchsorted(start) - known.searchsorted(pd.DatetimeIndex(rows["train_end"]), side="right")
        is_repeated = np.r_[False, start[1:] <= end[:-1]]
        is_wrong = (n_purged < 1) | (end < start) | is_repeated
        wrong += [f"{model} {fold}" for fold in rows["fold"][is_wrong]]
    if wrong:
        message = f"folds that learn from or repeat what they predict: {', '.join(wrong)}"
        return Examination("folds_ordered", False, message, len(wrong), 0.0)
    none = "there are no folds yet" if folds.empty else f"{len(folds)} folds learn from the past and do not overlap"
    return Examination("folds_ordered", True, none, 0.0, 0.0)


def flags(subject: Subject, model: str) -> list[Examination]:
    """What of a model's scores is too good to be believed without proof. The random walk has nothing to be flagged."""
    if model == BENCHMARK:
        return []
    scores = subject.evaluation[subject.evaluation["model"] == model]
    rows = subject.predictions[subject.predictions["model"] == model]
    return [_skill(scores), _direction(scores), _correlation(rows, subject.prices)]


def _skill(scores: pd.DataFrame) -> Examination:
    enough = scores[(scores["n"] >= MIN_ROWS) & scores["skill_vs_naive"].notna()]
    if enough.empty:
        return Examination("skill", True, f"no {MIN_ROWS} rows yet", limit=LARGEST_SKILL, kind="flag")
    raised = enough[(enough["skill_vs_naive"] > LARGEST_SKILL) & (enough["clark_west_p"] < LARGEST_P)]
    shown = (enough if raised.empty else raised).sort_values("skill_vs_naive").iloc[-1]
    message = (
        f"skill {100 * shown['skill_vs_naive']:+.2f} %, Clark-West p {shown['clark_west_p']:.3g} on {shown['n']} "
        f"{shown['scheme']} rows"
    )
    return Examination("skill", raised.empty, message, float(shown["skill_vs_naive"]), LARGEST_SKILL, "flag")


def _direction(scores: pd.DataFrame) -> Examination:
    known = scores[scores["directional_accuracy_lower"].notna()]
    if known.empty:
        return Examination("direction", True, "it predicts no direction yet", kind="flag")
    best = known["up_share"].fillna(0.5).clip(lower=0.5)
    shown = known.assign(best=best, lead=known["directional_accuracy_lower"] - best).sort_values("lead").iloc[-1]
    message = (
        f"{100 * shown['directional_accuracy']:.1f} % of directions right on {shown['n']} {shown['scheme']} rows, "
        f"99 % lower bound {100 * shown['directional_accuracy_lower']:.1f} %; always up or tossing a coin: "
        f"{100 * shown['best']:.1f} %"
    )
    lower = float(shown["directional_accuracy_lower"])
    return Examination("direction", not shown["lead"] > 0, message, lower, float(shown["best"]), "flag")


def _correlation(rows: pd.DataFrame, prices: pd.DataFrame) -> Examination:
    """How a prediction goes with the next return, which it cannot know, and with the last one, which it does."""
    bars = prices.sort_values("session")
    last = pd.Series(np.log(bars["adj_close"]).diff().to_numpy(), index=pd.DatetimeIndex(bars["session"]))
    known = rows.drop_duplicates("session").assign(last=lambda frame: frame["session"].map(last))
    known = known[["predicted_log_return", "actual_log_return", "last"]].dropna()
    n = len(known)
    if n < 4 or not (known.std() > 0).all():
        return Examination(
            "correlation", True, "it says too little to be compared", limit=LARGEST_CORRELATION, kind="flag"
        )
    tomorrow, today = (
        float(np.corrcoef(known["predicted_log_return"], known[name])[0, 1]) for name in ("actual_log_return", "last")
    )
    # Fisher (1921): atanh of a correlation is nearly normal with variance 1 / (n - 3).
    lower = float(np.tanh(np.arctanh(min(tomorrow, 1 - 1e-12)) - _Z_99 / np.sqrt(n - 3)))
    message = (
        f"correlation with the next return {tomorrow:+.3f} (99 % lower bound {lower:+.3f}), with the last one "
        f"{today:+.3f}, on {n} rows"
    )
    return Examination("correlation", lower <= LARGEST_CORRELATION, message, lower, LARGEST_CORRELATION, "flag")


def failed_proofs(table: pd.DataFrame) -> pd.DataFrame:
    """The rows of table `audit` that are proofs and did not hold."""
    failed: pd.DataFrame = table[(table["kind"] == "proof") & ~table["passed"].astype(bool)]
    return failed


def as_findings(table: pd.DataFrame) -> list[Finding]:
    """What did not hold, for the checks: failed proofs are errors, raised flags warnings."""
    wrong = table[~table["passed"].astype(bool)]
    return [
        Finding(
            _check(row),
            "error" if row["kind"] == "proof" else "warn",
            f"{row['subject']}, {row['name']}: {row['message']}",
        )
        for _, row in wrong.iterrows()
    ]


def _check(row: "pd.Series[Any]") -> str:
    if row["kind"] == "flag":
        return "nothing_too_good"
    return f"{row['subject'] if row['subject'] in ('features', 'splits') else 'models'}_proven"


def _table(rows: Iterable[tuple[str, str | None, Examination]], ticker: str, audited_at: datetime) -> pd.DataFrame:
    at = pd.Timestamp(audited_at).tz_convert("UTC")
    frame = pd.DataFrame(
        [
            {"ticker": ticker, "subject": subject, **asdict(finding), "model_version": version, "audited_at": at}
            for subject, version, finding in rows
        ]
    )
    # An infinite difference (a session is on one side only) has no place in a table of numbers.
    numbers = {name: frame[name].astype("float64").replace(np.inf, np.nan) for name in ("statistic", "limit")}
    return frame.assign(**numbers).astype({"audited_at": "datetime64[ns, UTC]", "passed": "bool"})
