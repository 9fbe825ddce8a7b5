"""`docs/controls.md`: the rates, their bounds, and everything needed to make them again."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.controls.cases import CONTROLS, SESSIONS
from benchmarks.controls.measure import PLAN
from benchmarks.controls.rates import Rate

_DOCUMENT = """# Controls

Series whose truth is known, sent through the platform's own prices, features, folds, models, evaluation and promotion.
A pipeline that saw the future, or a test that rejects too easily, would show here first.

    make controls

is `python -m benchmarks.controls`; it writes this page when it ran whole, and fails loudly where a rate does not hold.
`python -m benchmarks.controls --tickers 20` is a look in a minute or two.

{verdict}

{table}

± is the Monte-Carlo standard error of the rate: over tickers, which are independent of each other. The shuffles of the
bundled bars share 31 overlapping windows, so theirs is a lower bound. On series without signal, fewer than 1,000
tickers are “too few to tell” where a rate lies outside its bounds by less than two standard errors.

## What was run

{settings}

## What the series are

{controls}
"""


def document(found: Sequence[Rate], results: Sequence[Mapping[str, Any]]) -> str:
    """The page.

    Args:
        found: every rate.
        results: of every ticker, which tell counts and rows.
    """
    return _DOCUMENT.format(
        verdict=_headline(found), table=as_markdown(found), settings=_settings(results), controls=_controls(results)
    )


def _headline(found: Sequence[Rate]) -> str:
    failed = sum(not rate.holds for rate in found)
    undecided = sum(rate.holds and not rate.is_within for rate in found)
    if failed:
        return f"**{failed} of {len(found)} rates do not hold.**"
    rest = f"; {undecided} is over too few tickers to tell" if undecided else ""
    return f"**{len(found) - undecided} of {len(found)} rates hold{rest}.**"


def as_markdown(found: Sequence[Rate]) -> str:
    """One row a rate."""
    lines = ["| control | what | model | tickers | rate | ± | must be | |", "|---|---|---|---:|---:|---:|---:|---|"]
    for rate in found:
        cells = (
            rate.control,
            rate.question,
            rate.model,
            str(rate.tickers),
            f"{rate.value:.1%}",
            f"{rate.standard_error:.1%}",
            _bound(rate),
            _verdict(rate),
        )
        lines.append(f"| {' | '.join(cells)} |")
    return "\n".join(lines)


def _verdict(rate: Rate) -> str:
    if rate.is_within:
        return "holds"
    return "too few to tell" if rate.holds else "**DOES NOT HOLD**"


def _bound(rate: Rate) -> str:
    if rate.low == 0:
        return f"≤ {rate.high:.0%}"
    if rate.high == 1:
        return f"≥ {rate.low:.0%}"
    return f"{rate.low:.0%} – {rate.high:.0%}"


def _settings(results: Sequence[Mapping[str, Any]]) -> str:
    rows = sorted({score["n"] for result in results for score in result["scores"].values()})
    counted = f"{rows[0]:,}" if len(rows) == 1 else f"{rows[0]:,} to {rows[-1]:,}"
    return "\n".join(
        (
            f"- {SESSIONS:,} sessions a ticker, of which {counted} are walk-forward rows: {PLAN.window} window, first "
            f"{PLAN.first_train} sessions learned from, {PLAN.step} predicted by each fold, a refit every "
            f"{PLAN.refit_every} fold{'s' if PLAN.refit_every > 1 else ''}. These are the platform's defaults.",
            "- `xgboost` and `random_forest` with their default settings, the forest on the first tickers of some "
            "controls, since it takes five times as long as all else; `least_squares` is ordinary least squares on "
            "the same features, and exists for these controls only (`benchmarks/controls/least_squares.py`).",
            "- The number of a ticker seeds its bars, its models and its shuffles; `benchmarks/controls/cases.py` has "
            "the offset of each control.",
            "- Promotion is decided over all models that were run on the ticker, the Holm adjustment counts them.",
        )
    )


def _controls(results: Sequence[Mapping[str, Any]]) -> str:
    lines = []
    for name, control in CONTROLS.items():
        of = [result for result in results if result["control"] == name]
        models: dict[str, int] = {}
        for result in of:
            for model in result["scores"]:
                models[model] = models.get(model, 0) + 1
        counts = ", ".join(f"{model} {n:,}" for model, n in models.items())
        lines.append(f"- `{name}`: {control.title}. Tickers: {counts}.")
    return "\n".join(lines)
