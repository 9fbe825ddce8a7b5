"""Asset checks: what is verified on every materialisation, named so that a person sees what was looked at.

The domain finds (`check_prices`, …); this file names the checks and turns findings into Dagster's results. The checks
run in the asset's own step, before its rows are written, so that what is wrong for certain is refused and what is
doubtful is shown.
"""

from collections.abc import Sequence

import dagster as dg

from stock_assets.forecasting.findings import Finding

# Asset → name of the finding → what is verified.
CHECKS: dict[str, dict[str, str]] = {
    "prices": {
        "price_not_positive": "every price is a positive number",
        "high_low_order": "high is the highest and low the lowest price of its session",
        "duplicate_session": "no session twice",
        "not_a_session": "no bar on a day without trading",
        "missing_session": "no session is missing; among the last five a missing one may still come (warning)",
        "unadjusted_split": "no jump that a recorded split explains",
    },
    "features": {
        "features_finite": "every value is finite",
        "features_complete": "one row for every session after the warm-up",
        "features_causal": "computed again from bars that end there, sessions give the same values (no look-ahead)",
    },
    "splits": {
        "splits_disjoint": "no session has two roles",
        "splits_ordered": "train comes before validation before test before live",
        "splits_purged": "no label ends in a session of a later role",
        "splits_complete": "every session has a role",
    },
    "backtest": {
        "splits_disjoint": "no session has two roles in a fold",
        "splits_ordered": "train comes before test in every fold",
        "splits_purged": "no label that a fold learns from ends in a session it predicts from",
        "splits_complete": "every session of a fold has a role",
        "predictions_unique": "one prediction per session",
        "predictions_complete": "every session of every fold is predicted",
        "predictions_ordered": "intervals contain each other and the prediction",
    },
    "audit": {
        "features_proven": "no feature changes when later bars are left out or different",
        "splits_proven": "roles and folds are in the order of time, with a session purged between them",
        "models_proven": "no prediction changes with the future, and fits hold only what their training rows give",
        "nothing_too_good": "no skill, direction or correlation too good to be believed (warning: awaits proofs)",
    },
    "predictions": {
        "predictions_unique": "one prediction per session",
        "predictions_complete": "every validation, test and live session is predicted",
        "predictions_scored": "the model was fitted on the splits that stand (otherwise it forecasts, unscored)",
        "predictions_ordered": "intervals contain each other and the prediction",
    },
}


def check_specs(key: Sequence[str]) -> list[dg.AssetCheckSpec]:
    """The checks declared for an asset."""
    asset_key = dg.AssetKey(key)
    return [dg.AssetCheckSpec(name, asset=asset_key, description=text) for name, text in CHECKS.get(key[0], {}).items()]


def check_results(key: Sequence[str], findings: Sequence[Finding]) -> list[dg.AssetCheckResult]:
    """One result per declared check; a finding belongs to the check of its name."""
    return [_result(dg.AssetKey(key), name, [f for f in findings if f.name == name]) for name in CHECKS[key[0]]]


def _result(asset_key: dg.AssetKey, name: str, findings: list[Finding]) -> dg.AssetCheckResult:
    is_error = any(finding.severity == "error" for finding in findings)
    return dg.AssetCheckResult(
        asset_key=asset_key,
        check_name=name,
        passed=not findings,
        severity=dg.AssetCheckSeverity.ERROR if is_error else dg.AssetCheckSeverity.WARN,
        description="; ".join(finding.message for finding in findings) or None,
        metadata={"sessions": ", ".join(str(s) for f in findings for s in f.sessions[:10])} if findings else {},
    )
