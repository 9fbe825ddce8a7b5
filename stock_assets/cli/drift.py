"""The command `drift`: has what the models are given changed, and what was decided about it?"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from rich.markup import escape

from stock_assets.cli.context import output
from stock_assets.cli.layout import day
from stock_assets.cli.runs import Tickers, work
from stock_assets.settings import Settings

if TYPE_CHECKING:
    import pandas as pd


def drift(ticker: Tickers = None) -> None:
    """Compare the newest 40 sessions of every input with those before, and show what was decided on retraining."""
    work("drift_check", ticker, report=_report)


def _report(settings: Settings, tickers: Sequence[str]) -> None:
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
