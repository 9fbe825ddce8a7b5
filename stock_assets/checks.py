"""What Dagster's UI shows of a step over many tickers: its checks, and metadata made of what each body noted.

Checks verify, whenever an asset is made, by names that tell a person what was looked at:

    complete   every ticker of the run has its rows; names those that have not, with reason and cure
    sound      the rules that the rows are held to; names what was found, ticker by ticker

The domain finds (`check_prices`, …); this file turns findings into Dagster's results. What is wrong for certain refuses
the ticker's rows before they are written; what is doubtful is shown.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import dagster as dg
import pandas as pd

from stock_assets.forecasting.findings import Finding
from stock_assets.health import Failure

COMPLETE, SOUND = "complete", "sound"
_NOTES_SHOWN = 200  # tickers in a table
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
    """One result a check, of the tickers without new rows, and of what was found in each ticker's rows.

    A ticker without rows is an error where they are required, else only a model less.
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


def first_lines(lines: Sequence[str], at_most: int = 20) -> list[str]:
    """The first of many lines, and one that says how many more there are."""
    more = [f"… and {len(lines) - at_most} more"] if len(lines) > at_most else []
    return [*lines[:at_most], *more]


def first_of(parts: Sequence[str], separator: str = ", ", at_most: int = 20) -> str:
    """The first of many in a line, and how many more there are."""
    more = f" … and {len(parts) - at_most} more" if len(parts) > at_most else ""
    return separator.join(parts[:at_most]) + more


def marks_metadata(of: Mapping[str, Mapping[str, int]]) -> dict[str, Any]:
    """Name → ticker → number, without those that are 0: sensors read them back."""
    names = dict.fromkeys(name for marks in of.values() for name in marks)
    found = {name: {ticker: marks[name] for ticker, marks in of.items() if marks.get(name)} for name in names}
    return {name: dg.MetadataValue.json(by_ticker) for name, by_ticker in found.items() if by_ticker}


def notes_metadata(notes: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Of one ticker all its notes; of several, a table of what is short enough for one."""
    if len(notes) == 1:
        (only,) = notes.values()
        return dict(only)
    short = {
        ticker: {name: value for name, value in of.items() if isinstance(value, (str, int, float, bool))}
        for ticker, of in sorted(notes.items())[:_NOTES_SHOWN]
    }
    frame = pd.DataFrame.from_dict(short, orient="index")
    return {} if frame.empty else {"by_ticker": dg.MetadataValue.md(frame.to_markdown())}
