"""`leaderboard`, `champion`, `sql`, `export`: looking at what was published. Disturbs no running pipeline."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from stock_assets.cli.context import note, open_home, output, read_ticker, require_known
from stock_assets.settings import Settings

if TYPE_CHECKING:
    import pandas as pd

_ROWS_ON_A_SCREEN = 100


Role = Literal["validation", "test", "live"]
OneTicker = Annotated[str | None, typer.Argument(metavar="TICKER", help="Only this ticker. Default: all.")]
Style = Annotated[Literal["table", "csv", "json"], typer.Option("--format", help="How rows are written.")]


def leaderboard(
    ticker: OneTicker = None,
    role: Annotated[
        Role | None, typer.Option(help="Which rows. Default: test and live; validation only served to select.")
    ] = None,
) -> None:
    """Every model's scores beside the random walk's on the same rows, who is trusted, and why."""
    from stock_assets.cli import show
    from storage import queries
    from storage.published import Reader

    settings = open_home()
    wanted = None if ticker is None else read_ticker(ticker)
    with Reader(settings.home) as reader:
        scores = queries.leaderboard(reader, wanted)
        champions = queries.champion(reader, wanted)
        universe = queries.tickers(reader)
    _require_known(wanted, universe, scores, settings)
    shown = scores[scores["role"].isin([role] if role else ["test", "live"])]
    if shown.empty:
        whose = f" for {wanted}" if wanted else ""
        note(f"no scores{whose} yet: train with `stock-assets run`" if scores.empty else _none_in(role, whose))
        return
    console = output()
    show.leaderboard(shown, console, sample=set(universe.loc[universe["source"] == "sample", "ticker"]))
    show.champions(champions, console)


def champion(ticker: OneTicker = None) -> None:
    """Who is trusted for each ticker, since when and why: every decision, the newest first."""
    from stock_assets.cli import show
    from storage import queries
    from storage.published import Reader

    settings = open_home()
    wanted = None if ticker is None else read_ticker(ticker)
    with Reader(settings.home) as reader:
        decisions = queries.champion_history(reader, wanted)
        universe = queries.tickers(reader)
    _require_known(wanted, universe, decisions, settings)
    if decisions.empty:
        note(f"no champion{f' of {wanted}' if wanted else ''} yet: decide with `stock-assets run`")
        return
    show.decisions(decisions, output())


def _require_known(ticker: str | None, universe: "pd.DataFrame", rows: "pd.DataFrame", settings: Settings) -> None:
    if ticker is not None:
        known = {*universe["ticker"], *rows["ticker"]}  # the rows of a removed ticker stay
        require_known([ticker], known, settings.home, if_none=f"add it: stock-assets tickers add {ticker}")


def sql(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="One SELECT statement, in quotes. DuckDB's dialect.")],
    style: Style = "table",
    max_rows: Annotated[
        int | None,
        typer.Option(min=1, help=f"Write at most so many rows. Default: {_ROWS_ON_A_SCREEN} in a table, else all."),
    ] = None,
) -> None:
    """Ask the published database. Read-only, one SELECT; `DESCRIBE prices` lists the columns of a table.

    Tables: tickers, raw_prices, prices, features, splits, models, predictions, backtest_folds, tuning_trials,
    evaluation, pooled_evaluation, calibration, pit_histogram, volatility, economics, audit, champion, forecasts,
    forecast_scores, drift, retraining, announcements. Views: leaderboard, discoveries, latest_forecasts, track_record,
    live_performance.
    """
    from storage.sql import run_select

    limit = _ROWS_ON_A_SCREEN if max_rows is None and style == "table" else max_rows
    frame = run_select(query, open_home().home, max_rows=limit)
    write(frame, style, _print_table)
    if frame.attrs.get("truncated"):
        note(f"only the first {limit} rows are shown; --max-rows shows more")


def write(frame: "pd.DataFrame", style: str, print_table: "Callable[[pd.DataFrame], None]") -> None:
    """Rows on stdout: for people by `print_table`, for programs as CSV or JSON."""
    if style == "table":
        print_table(frame)
    elif style == "csv":
        frame.to_csv(sys.stdout, index=False)
    else:
        _with_iso_dates(frame).to_json(
            sys.stdout, orient="records", date_format="iso", date_unit="us", double_precision=15, force_ascii=False
        )
        typer.echo()


def export(
    table: Annotated[str, typer.Argument(metavar="TABLE", help="A table or view, for example prices or leaderboard.")],
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Where to: .csv, .parquet or .json. An existing file is replaced.")
    ],
) -> None:
    """Write a published table or view to a file."""
    from storage.export import export_table

    rows = export_table(table, file, open_home().home)
    note(f"{rows:,} rows written to {file}")


def _none_in(role: Role | None, whose: str) -> str:
    if role == "live":
        return (
            f"no live scores{whose} yet: a forecast made before its session opened is scored when a later "
            "`stock-assets forecast` has that session's close"
        )
    return f"no {role or 'test or live'} scores{whose}: `stock-assets leaderboard` without --role shows those there are"


def _print_table(frame: "pd.DataFrame") -> None:
    from stock_assets.cli.layout import plain, records

    frame = _with_iso_dates(frame)
    rows = records(frame)
    console = output()
    console.print(plain([str(name) for name in frame.columns], rows, console))
    if not rows:
        console.print("0 rows")


def _with_iso_dates(frame: "pd.DataFrame") -> "pd.DataFrame":
    """Sessions as dates: in a frame they are timestamps at midnight without time zone."""
    dates = {str(name): column.dt.strftime("%Y-%m-%d") for name, column in frame.items() if _holds_dates(column)}
    return frame.assign(**dates)


def _holds_dates(column: "pd.Series[Any]") -> bool:
    if column.dtype.kind != "M" or column.dt.tz is not None:
        return False
    known = column.dropna()
    return bool((known == known.dt.normalize()).all())
