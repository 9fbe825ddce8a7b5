"""The tables people came for: leaderboard, champion, forecasts. Takes frames, prints to a console.

The random walk comes first in every leaderboard and its score stands beside every model's on the same rows, so that no
number can be read without it.
"""

from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from rich.console import Console
from rich.markup import escape

from stock_assets.cli.layout import MISSING, Field, Row, day, evidence, fit, is_missing, number, percent, records, text
from stock_assets.forecasting.models import BENCHMARK

if TYPE_CHECKING:
    import pandas as pd

SAMPLE_BANNER = "SAMPLE DATA: real bars of 2000–2013 from the bokeh_sampledata package; not today's market"
NOT_ADVICE = "Not investment advice."


def _verdict(row: Row) -> str:
    if row["model"] == BENCHMARK:
        return "benchmark"
    # A model that found nothing worth saying predicts no change: there are no two forecasts to test.
    return "same as it" if row["std_ratio"] == 0 else evidence(row["clark_west_p"])


def _result(row: Row) -> str:
    if row["kind"] == "flag":
        return "not raised" if row["passed"] else "RAISED"
    return "holds" if row["passed"] else "FAILED"


def _short(value: float | None) -> str:
    return MISSING if value is None or is_missing(value) else f"{value:.3g}"


LEADERBOARD = (
    Field("model", text("model"), left=True),
    Field("rows", text("n"), optional=2),
    Field("RMSE", number("rmse")),
    Field("random\nwalk's", number("rmse_random_walk")),
    Field("MAE", number("mae"), optional=1),
    Field("random\nwalk's", number("mae_random_walk"), optional=1),
    Field("MAPE", percent("mape", 2), optional=4),
    Field("skill", percent("skill_vs_naive", 2, signed=True)),
    Field("right\ndirection", percent("directional_accuracy"), optional=3),
    Field("better\nthan it?", lambda rows: [_verdict(row) for row in rows]),
    Field("in 90 %", percent("coverage_90"), optional=5),
)

AUDIT = (
    Field("subject", text("subject"), left=True),
    Field("looked at", text("name"), left=True),
    Field("kind", text("kind"), left=True, optional=2),
    Field("result", lambda rows: [_result(row) for row in rows], left=True),
    Field("measured", lambda rows: [_short(row["statistic"]) for row in rows], optional=1),
    Field("at most", lambda rows: [_short(row["limit"]) for row in rows], optional=1),
)

FORECASTS = (
    Field("model", lambda rows: [_marked(row) for row in rows], left=True),
    Field("as of", lambda rows: [day(row["as_of_session"]) for row in rows], optional=2),
    Field("close\nthen", number("naive"), optional=1),
    Field("forecast\nfor", lambda rows: [day(row["target_session"]) for row in rows]),
    Field("close", number("predicted")),
    Field("change", lambda rows: [f"{100 * (row['predicted'] / row['naive'] - 1):+.2f} %" for row in rows]),
    Field("90 % from", number("lower_90")),
    Field("to", number("upper_90")),
)

CHAMPIONS_FORECASTS = (
    Field("ticker", text("ticker"), left=True),
    Field("champion", text("model"), left=True, optional=3),
    *FORECASTS[1:2],
    Field("random\nwalk's", number("naive")),
    *FORECASTS[3:],
)


def leaderboard(frame: "pd.DataFrame", console: Console, *, sample: Collection[str] = ()) -> None:
    """Print one table per ticker, scheme and role. Takes rows of the view `leaderboard`; those of `sample` say so."""
    for (ticker, scheme, role), group in frame.groupby(["ticker", "scheme", "role"], sort=True):
        rows = records(group.sort_values("rmse"))
        rows.sort(key=lambda row: row["model"] != BENCHMARK)
        label = " — SAMPLE DATA" if ticker in sample else ""
        console.print(f"{escape(str(ticker))}, {scheme} {role} rows{label}", style="bold")
        console.print(fit(LEADERBOARD, rows, console))
        console.print(
            "RMSE and MAE of the close; beside each the random walk's on the same rows. "
            "Better: one-sided Clark–West test at 5 %.\n",
            style="dim",
            soft_wrap=True,
        )


def champions(frame: "pd.DataFrame", console: Console) -> None:
    """Print the newest decision of each ticker: who is trusted and why. Takes rows of the table `champion`."""
    newest = frame.sort_values("decided_at").groupby("ticker", sort=True).tail(1).sort_values("ticker")
    for row in records(newest):
        line = f"[bold]{escape(row['ticker'])}[/bold] champion: {row['model']} — {escape(row['reason'])}"
        console.print(line, soft_wrap=True)


def decisions(frame: "pd.DataFrame", console: Console) -> None:
    """Print every decision of each ticker, the newest first. Takes rows of the table `champion`."""
    for ticker, group in frame.groupby("ticker", sort=True):
        console.print(f"{escape(str(ticker))}, decisions", style="bold")
        for row in records(group.sort_values("decided_at", ascending=False)):
            line = f"{day(row['decided_at'])}  [bold]{row['model']}[/bold] — {escape(row['reason'])}"
            console.print(line, soft_wrap=True)


def audit(frame: "pd.DataFrame", console: Console) -> None:
    """Print one table per ticker, then what failed or was flagged in words. Takes rows of the table `audit`."""
    for ticker, group in frame.groupby("ticker", sort=True):
        rows = records(group)
        rows.sort(key=lambda row: (row["subject"] not in ("features", "splits"), row["subject"], row["kind"] == "flag"))
        console.print(f"{escape(str(ticker))}, leak audit", style="bold")
        console.print(fit(AUDIT, rows, console))
        for row in rows:
            if not row["passed"]:
                console.print(escape(f"{row['subject']}, {row['name']}: {row['message']}"), soft_wrap=True)


def forecasts(frame: "pd.DataFrame", console: Console, *, now: datetime | None = None) -> None:
    """Print one table per ticker with 90 % intervals, the age of the data, the sample-data banner and the disclaimer.

    Takes rows of the table `forecasts`; the data's age is counted to `now`, the present by default.
    """
    for ticker, group in frame.groupby("ticker", sort=True):
        rows = records(group)
        rows.sort(key=lambda row: (not row["is_champion"], row["model"] != BENCHMARK, row["model"]))
        console.print(f"{escape(str(ticker))}, next session", style="bold")
        console.print(fit(FORECASTS, rows, console))
        console.print(_age(rows, now or datetime.now(UTC)), style="dim", soft_wrap=True)
        if any(row["source"] == "sample" for row in rows):
            console.print(SAMPLE_BANNER, style="bold yellow", soft_wrap=True)
        console.print(f"{NOT_ADVICE}\n")


def champions_forecasts(frame: "pd.DataFrame", console: Console) -> None:
    """Print what each ticker's champion forecasts, a line a ticker, beside what the random walk does: the close then.

    Takes rows of the table `forecasts`.
    """
    rows = records(frame[frame["is_champion"]].sort_values("ticker"))
    if not rows:
        return
    console.print("next session, by each ticker's champion", style="bold")
    console.print(fit(CHAMPIONS_FORECASTS, rows, console))
    console.print(
        "One in full, with every model's scores: `stock-assets leaderboard TICKER`.", style="dim", soft_wrap=True
    )
    if any(row["source"] == "sample" for row in rows):
        console.print(SAMPLE_BANNER, style="bold yellow", soft_wrap=True)
    oldest = min(rows, key=lambda row: row["as_of_session"])
    console.print(
        f"The oldest of {len(rows)}: {oldest['ticker']}. {_age([oldest], datetime.now(UTC))}",
        style="dim",
        soft_wrap=True,
    )
    console.print(f"{NOT_ADVICE}\n")


def _marked(row: Row) -> str:
    if row["is_champion"]:
        return f"{row['model']} (champion)"
    return f"{row['model']} (benchmark)" if row["model"] == BENCHMARK else str(row["model"])


def _age(rows: Sequence[Row], now: datetime) -> str:
    newest = max(row["as_of_session"] for row in rows)
    days = (now.date() - newest.date()).days
    age = f"{days} days" if days < 730 else f"{days / 365.25:.1f} years"
    live = all(row["is_live"] for row in rows)
    counts = (
        "made before the session opened" if live else "not live: the session had opened; kept out of the track record"
    )
    return f"Data up to {day(newest)}, {age} old; {counts}."
