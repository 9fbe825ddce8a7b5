"""Commands that examine what there is: `backtest`, `drift`, `audit`."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from stock_assets.cli.context import output
from stock_assets.cli.layout import day
from stock_assets.cli.runs import Fast, Models, Tickers, Tune, work
from stock_assets.errors import StockAssetsError
from stock_assets.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

Window = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="expanding (default): learn from everything before a fold; rolling: from as many sessions as the first.",
    ),
]
FirstTrain = Annotated[
    int | None, typer.Option(metavar="N", help="Sessions the first fold learns from. Default: 378, a year and a half.")
]
Step = Annotated[int | None, typer.Option(metavar="N", help="Sessions each fold predicts. Default: 126, half a year.")]
RefitEvery = Annotated[
    int | None, typer.Option(metavar="N", help="Folds that share one fit. Default: 1, and more for networks.")
]


class ProofFailed(StockAssetsError):
    """Something stored could have seen the future."""


def backtest(
    ticker: Tickers = None,
    models: Models = "",
    window: Window = "expanding",
    first_train: FirstTrain = None,
    step: Step = None,
    refit_every: RefitEvery = None,
    fast: Fast = False,
    tune: Tune = 0,
) -> None:
    """Walk forward: fit on what came before each half year and predict it, score, and review the champion.

    It works on the bars at hand and does not fetch. Fits are kept: a second run, or one after an interruption, only
    makes those that are missing.
    """
    from stock_assets.forecasting.folds import Plan

    given = {"first_train": first_train, "step": step, "refit_every": refit_every}
    plan: dict[str, Any] = {name: value for name, value in given.items() if value is not None}
    Plan(window, **plan)  # refuses wrong values before anything runs
    work("backtest", ticker, models=models, fast=fast, tune=tune, window=window, **plan)


def drift(ticker: Tickers = None) -> None:
    """Compare the newest 40 sessions of every input with those before, and show what was decided on retraining."""
    work("drift_check", ticker, report=_report_drift)


def _report_drift(settings: Settings, tickers: Sequence[str]) -> None:
    from storage import queries
    from storage.published import Reader

    console = output()
    for ticker in tickers:
        with Reader(settings.home) as reader:
            checks = queries.relation(reader, "drift", ticker=ticker)
            decisions = queries.relation(reader, "retraining", ticker=ticker)
        for number, line in enumerate([*describe_check(ticker, checks), *describe_decisions(decisions)]):
            console.print(escape(line), style="bold" if number == 0 else None, soft_wrap=True)


def describe_check(ticker: str, checks: "pd.DataFrame") -> list[str]:
    """The newest check of one ticker in words; takes its rows of the table `drift`."""
    from stock_assets.forecasting.drift import CURRENT, MIN_REFERENCE, NEEDED, OF, SHARE, drifted_sessions

    if checks.empty:
        return [f"{ticker}: nothing to compare: that takes {MIN_REFERENCE + CURRENT} sessions of features"]
    newest = checks[checks["current_end"] == checks["current_end"].max()]
    newest = newest[newest["checked_at"] == newest["checked_at"].max()]
    row, flags = newest.iloc[0], drifted_sessions(checks)
    drifted = newest[newest["drifted"]].sort_values("statistic", ascending=False)
    lines = [
        f"{ticker}: the inputs have {'' if flags.iloc[-1] else 'not '}drifted",
        f"{len(drifted)} of {len(newest)} inputs are further from {day(row['reference_start'])} to "
        f"{day(row['reference_end'])} than any {CURRENT} sessions in between; {SHARE:.0%} of them count as drift "
        f"(sessions {day(row['current_start'])} to {day(row['current_end'])})",
    ]
    lines += [
        f"  {one['feature']}: distance {one['statistic']:.2f} standard deviations, threshold {one['threshold']:.2f}"
        for _, one in drifted.iterrows()
    ]
    looked = flags.tail(OF)
    return [
        *lines,
        f"drifted in {int(looked.sum())} of the newest {len(looked)} sessions checked; "
        f"{NEEDED} of {OF} lead to a retraining",
    ]


def describe_decisions(decisions: "pd.DataFrame") -> list[str]:
    """What was decided on retraining, the newest first; takes one ticker's rows of the table `retraining`."""
    if decisions.empty:
        return ["no decision on retraining yet: the sensor `retraining` makes them, where the daemon runs"]
    ordered = decisions.sort_values("decided_at", ascending=False)
    return [
        f"{day(row['decided_at'])}  {row['action']} ({row['cause']}): {row['reason']}" for _, row in ordered.iterrows()
    ]


def audit(ticker: Tickers = None) -> None:
    """Prove that nothing stored could have seen the future, and look for scores too good to be believed.

    Leaves with exit code 1 if a proof failed. A raised flag is no verdict: it blocks promotion until the proofs hold.
    """
    failed: list[str] = []
    work("leak_audit", ticker, report=lambda settings, tickers: failed.extend(_report_audit(settings, tickers)))
    _require_proven(failed)


def _require_proven(failed: Sequence[str]) -> None:
    if failed:
        raise ProofFailed(
            f"{len(failed)} proof{'s' if len(failed) > 1 else ''} failed: {', '.join(failed)}",
            cure="each line above says what was found; correct the code or train again, then audit again",
        )


def _report_audit(settings: Settings, tickers: Sequence[str]) -> list[str]:
    """Print each ticker's table; the names of what failed."""
    from stock_assets.cli import show
    from stock_assets.forecasting.audit import failed_proofs
    from storage import queries
    from storage.published import Reader

    failed = []
    for ticker in tickers:
        with Reader(settings.home) as reader:
            found = queries.relation(reader, "audit", ticker=ticker)
        show.audit(found, output())
        names = failed_proofs(found)[["subject", "name"]].itertuples(index=False)
        failed += [f"{ticker} {subject} {name}" for subject, name in names]
    return failed
