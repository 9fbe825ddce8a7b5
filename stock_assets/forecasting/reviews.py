"""The promotion rule: what one model has to show on walk-forward rows before it may be champion (docs/adr/0075)."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd

from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.forecasting.errors import ArtifactMismatch
from stock_assets.forecasting.manifest import Manifest
from stock_assets.forecasting.models import BENCHMARK, discover
from stock_assets.forecasting.significance import diebold_mariano, holm
from stock_assets.forecasting.splits import WALK_FORWARD

LEVEL = 0.05
"""Chance of promoting any model of a ticker for which none is better than the random walk, at one review."""
MIN_ROWS = 500
"""Walk-forward rows a verdict needs: fewer show hardly anything (a signal of R² 5 % is found one time in two)."""
_OUTDATED = "its backtest is not of the model in use ({}; `stock-assets backtest` makes it again)"
COVERAGE = 90
"""Level of the intervals that must be honest [%]."""


@dataclass(frozen=True)
class Verdict:
    """What the rule says about one model on its `n` walk-forward rows; RMSEs are of the close.

    Attributes:
        p_value: one-sided Clark–West, adjusted by Holm over the family; NaN where it cannot be computed.
        family: models the adjustment counts.
        obstacles: what stands against it, each a part of a sentence; none if it passes.
        awaits_audit: it passes all but the audit of its fit, which has not been made.
    """

    model: str
    n: int
    rmse: float
    rmse_random_walk: float
    p_value: float
    family: int
    obstacles: tuple[str, ...]
    awaits_audit: bool = False

    @property
    def passed(self) -> bool:
        """Whether nothing stands against it."""
        return not self.obstacles

    @property
    def numbers(self) -> str:
        """The evidence as part of a sentence."""
        return (
            f"Clark-West p {p_text(self.p_value)} (Holm over {self.family} model{'s' if self.family > 1 else ''}), "
            f"RMSE {self.rmse:.4g} against {self.rmse_random_walk:.4g} on {self.n} walk-forward rows"
        )


def walk_forward_rows(evaluation: pd.DataFrame) -> pd.DataFrame:
    """The rows of table `evaluation` that reviews rest on, indexed by model."""
    rows = evaluation[(evaluation["scheme"] == WALK_FORWARD) & (evaluation["role"] == "test")]
    return rows.set_index("model").sort_index()


def review(
    evaluation: pd.DataFrame,
    calibration: pd.DataFrame,
    audit: pd.DataFrame,
    *,
    versions: Mapping[str, str],
    promotable: Collection[str],
    outdated: Mapping[str, str] | None = None,
) -> dict[str, Verdict]:
    """Verdicts on every promotable model that has walk-forward rows, lowest RMSE first.

    Args:
        evaluation, calibration, audit: one ticker's rows of the tables of those names.
        versions: version of each model's final fit.
        promotable: every model that may be promoted, scored today or not: the family of the Holm adjustment.
        outdated: models whose walk-forward rows are not about their final fit → what differs (`outdated_backtests`).
    """
    scored = walk_forward_rows(evaluation)
    candidates = scored[scored.index.isin(promotable) & (scored.index != BENCHMARK)].sort_values("rmse")
    # A model that is absent today was tried all the same: a smaller family would make promotion easier.
    family = {model: float("nan") for model in promotable if model != BENCHMARK}
    adjusted = holm(family | {str(model): float(p_value) for model, p_value in candidates["clark_west_p"].items()})
    verdicts = {}
    for name, scores in candidates.iterrows():
        model = str(name)
        p_value = adjusted[model]
        against = (
            *_statistics_against(scores, p_value),
            *_coverage_against(calibration, model),
            *(() if model in versions else ("it has no final fit",)),
            *([_OUTDATED.format(outdated[model])] if outdated and model in outdated else ()),
        )
        unclean, is_missing = _audit_against(audit, model, versions.get(model))
        n, rmse, benchmark = int(scores["n"]), float(scores["rmse"]), float(scores["rmse_random_walk"])
        awaits = not against and is_missing
        verdicts[model] = Verdict(model, n, rmse, benchmark, p_value, len(adjusted), (*against, *unclean), awaits)
    return verdicts


def outdated_backtests(
    versions: Mapping[str, str], folds: pd.DataFrame, *, tuned: Collection[str], ticker: str, store: ArtifactStore
) -> dict[str, str]:
    """The models whose backtest says nothing of their final fit → what differs: its code, features or settings.

    Args:
        versions: version of each model's final fit.
        folds: the ticker's rows of table `backtest_folds`. All of a model are of one backtest, so the newest tells.
        tuned: models whose settings have been searched: a search gives every fit what its own training window says, so
            the settings that it chooses may differ.
    """
    newest = folds.sort_values("test_start").groupby("model")["model_version"].last()
    found = {}
    for model in newest.index.intersection(list(versions)):
        try:
            final, walked = (store.manifest(ticker, model, version) for version in (versions[model], newest[model]))
        except ArtifactMismatch as error:
            found[str(model)] = f"a fit cannot be read: {error.problem}"
            continue
        searched = discover()[model].search_space if model in tuned and model in discover() else ()
        if changed := _differences(final, walked, searched):
            found[str(model)] = f"other {', '.join(changed)}"
    return found


def better_p(predictions: pd.DataFrame, challenger: str, incumbent: str) -> float:
    """One-sided Diebold–Mariano (HLN) p-value that the challenger's squared error of log returns is lower.

    Takes one ticker's walk-forward rows of table `predictions`. NaN where the two have the same errors, or fewer than
    two sessions in common.
    """
    known = predictions[predictions["actual_log_return"].notna()]
    rows = known.assign(error=known["actual_log_return"] - known["predicted_log_return"])
    theirs, own = (rows.loc[rows["model"] == name, ["target_session", "error"]] for name in (incumbent, challenger))
    pairs = theirs.merge(own, on="target_session", suffixes=("_incumbent", "_challenger"))
    if pairs.empty:
        return float("nan")
    return diebold_mariano(pairs["error_incumbent"], pairs["error_challenger"], alternative="greater")


def p_text(p_value: float) -> str:
    """A p-value behind the letter p: `= 0.012`, `< 0.001` or `unknown`."""
    if np.isnan(p_value):
        return "unknown"
    return f"= {p_value:.3f}" if p_value >= 0.001 else "< 0.001"


def _differences(final: Manifest, walked: Manifest, searched: Collection[str]) -> list[str]:
    names = (final.settings.keys() | walked.settings.keys()) - set(searched)
    settings = sorted(name for name in names if final.settings.get(name) != walked.settings.get(name))
    code = ["code"] if final.code_version != walked.code_version else []
    features = ["feature formulas"] if final.features_version != walked.features_version else []
    return [*code, *features, *settings]


def _statistics_against(scores: pd.Series, p_value: float) -> tuple[str, ...]:
    n, rmse, benchmark = int(scores["n"]), scores["rmse"], scores["rmse_random_walk"]
    # Each condition is written so that a number that is missing stands against the model.
    return tuple(
        text
        for holds, text in (
            (n >= MIN_ROWS, f"{n} walk-forward rows are fewer than {MIN_ROWS}"),
            (p_value < LEVEL, f"Clark-West p {p_text(p_value)} is not below {100 * LEVEL:g} %"),
            (rmse < benchmark, f"RMSE {rmse:.4g} is not below {benchmark:.4g}"),
        )
        if not holds
    )


def _coverage_against(calibration: pd.DataFrame, model: str) -> tuple[str, ...]:
    is_asked = (
        (calibration["model"] == model)
        & (calibration["scheme"] == WALK_FORWARD)
        & (calibration["role"] == "test")
        & (calibration["level"] == COVERAGE)
    )
    rows = calibration[is_asked]
    if rows.empty:
        return (f"the coverage of its {COVERAGE} % intervals is unknown",)
    found = rows.iloc[0]
    if found["coverage_upper"] >= COVERAGE / 100:
        return ()
    return (
        f"its {COVERAGE} % intervals cover {100 * found['coverage']:.1f} % "
        f"({100 * found['coverage_lower']:.1f} to {100 * found['coverage_upper']:.1f})",
    )


def _audit_against(audit: pd.DataFrame, model: str, version: str | None) -> tuple[tuple[str, ...], bool]:
    """What the audit has against a model, and whether it only has not been made of this fit."""
    is_own = (audit["subject"] == model) & (audit["model_version"] == version)
    is_shared = audit["subject"].isin(["features", "splits"])
    proofs = audit[(is_own | is_shared) & (audit["kind"] == "proof")]
    failed = proofs[~proofs["passed"].astype(bool)]
    if len(failed):
        return (f"its audit failed ({', '.join(sorted(failed['name']))})",), False
    if set(proofs["subject"]) == {"features", "splits", model}:
        return (), False
    raised = audit[(audit["subject"] == model) & (audit["kind"] == "flag") & ~audit["passed"].astype(bool)]
    flags = f", and it is flagged as too good to be believed ({', '.join(sorted(raised['name']))})"
    return (f"its fit has not been audited{flags if len(raised) else ''}",), True
