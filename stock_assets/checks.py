"""Asset checks: what is verified whenever an asset is made, named so that a person sees what was looked at.

    complete   every ticker of the run has its rows; names those that have not, with reason and cure
    sound      the rules that the rows are held to; names what was found, ticker by ticker

The domain finds (`check_prices`, …); this file turns findings into Dagster's results. What is wrong for certain refuses
the ticker's rows before they are written; what is doubtful is shown.
"""

from collections.abc import Mapping, Sequence

import dagster as dg

from stock_assets.forecasting.findings import Finding
from stock_assets.health import Failure
from stock_assets.notes import first_lines

COMPLETE, SOUND = "complete", "sound"
_SPLIT_RULES = {
    "splits_disjoint": "no session has two roles",
    "splits_ordered": "train comes before validation before test before live",
    "splits_purged": "no label ends in a session of a later role",
    "splits_complete": "every session has a role",
}
_PREDICTION_RULES = {
    "predictions_unique": "one prediction per session",
    "predictions_complete": "every session asked for is predicted",
    "predictions_ordered": "intervals contain each other and the prediction",
}
# First part of an asset's key → name of a finding → what is verified.
RULES: dict[str, dict[str, str]] = {
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
    "splits": _SPLIT_RULES,
    "predictions": _PREDICTION_RULES
    | {"predictions_scored": "the model was fitted on the splits that stand (otherwise it forecasts, unscored)"},
    "backtest": _SPLIT_RULES | _PREDICTION_RULES,
    "audit": {
        "features_proven": "no feature changes when later bars are left out or different",
        "splits_proven": "roles and folds come in the order of time, a session purged between them",
        "models_proven": "no prediction or bound changes with the future; scales and calibration are of training rows",
        "nothing_too_good": "no skill, direction or correlation too good to be believed (warning: awaits proofs)",
    },
}


def check_specs(key: str) -> list[dg.AssetCheckSpec]:
    """The checks of an asset."""
    asset = dg.AssetKey(key.split("/"))
    complete = dg.AssetCheckSpec(COMPLETE, asset=asset, description="Every ticker of the run has its rows.")
    rules = rules_of(key)
    if not rules:
        return [complete]
    text = "".join(f"\n- `{name}`: {meaning}" for name, meaning in rules.items())
    return [complete, dg.AssetCheckSpec(SOUND, asset=asset, description=f"The rules the rows are held to:{text}")]


def rules_of(key: str) -> dict[str, str]:
    """The rules an asset's rows are held to: name → what is verified."""
    return RULES.get(key.split("/")[0], {})


def check_results(
    key: str, failures: Mapping[str, Failure], findings: Mapping[str, Sequence[Finding]], *, is_required: bool
) -> list[dg.AssetCheckResult]:
    """One result a check.

    Args:
        failures: ticker → why it has no new rows.
        findings: ticker → what was found in its rows.
        is_required: whether a ticker without rows is an error, or only a model less.
    """
    asset = dg.AssetKey(key.split("/"))
    severity = dg.AssetCheckSeverity.ERROR if is_required else dg.AssetCheckSeverity.WARN
    lines = {ticker: failure.line for ticker, failure in failures.items()}
    results = [_result(asset, COMPLETE, lines, severity)]
    if rules_of(key):
        found = {ticker: "; ".join(f"{one.name}: {one.message}" for one in of) for ticker, of in findings.items() if of}
        is_error = any(one.severity == "error" for of in findings.values() for one in of)
        results.append(
            _result(asset, SOUND, found, dg.AssetCheckSeverity.ERROR if is_error else dg.AssetCheckSeverity.WARN)
        )
    return results


def _result(
    asset: dg.AssetKey, name: str, lines: Mapping[str, str], severity: dg.AssetCheckSeverity
) -> dg.AssetCheckResult:
    shown = first_lines([f"{ticker}: {line}" for ticker, line in lines.items()])  # the metadata names all
    return dg.AssetCheckResult(
        asset_key=asset,
        check_name=name,
        passed=not lines,
        severity=severity,
        description="\n".join(shown) or None,
        metadata={"tickers": dg.MetadataValue.json(dict(lines))} if lines else {},
    )
