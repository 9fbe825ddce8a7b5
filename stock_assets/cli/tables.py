"""`leaderboard`, `sql` and `export`: looking at what was published. Nothing here disturbs a running pipeline."""

import sys
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stock_assets.cli.context import note, open_home, output, read_ticker, require_known

if TYPE_CHECKING:
    import pandas as pd

_ROWS_ON_A_SCREEN = 100


class Format(StrEnum):
    """How rows are written."""

    TABLE = "table"
    CSV = "csv"
    JSON = "json"


class Role(StrEnum):
    """Which rows were scored."""

    VALIDATION = "validation"
    TEST = "test"
    LIVE = "live"


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command()(leaderboard)
    app.command()(sql)
    app.command()(export)


def leaderboard(
    ticker: Annotated[str | None, typer.Argument(metavar="TICKER", help="Only this ticker. Default: all.")] = None,
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
    known = {*universe["ticker"], *scores["ticker"]}  # the scores of a removed ticker stay
    if wanted is not None:
        require_known([wanted], known, settings.home, if_none=f"add it: stock-assets tickers add {wanted}")
    shown = scores[scores["role"].isin([role] if role else [Role.TEST, Role.LIVE])]
    if shown.empty:
        whose = f" for {wanted}" if wanted else ""
        note(f"no scores{whose} yet: train with `stock-assets run`" if scores.empty else _none_in(role, whose))
        return
    console = output()
    show.leaderboard(shown, console, sample=set(universe.loc[universe["source"] == "sample", "ticker"]))
    show.champions(champions, console)


def sql(
    query: Annotated[str, typer.Argument(metavar="QUERY", help="One SELECT statement, in quotes. DuckDB's dialect.")],
    style: Annotated[Format, typer.Option("--format", help="How rows are written.")] = Format.TABLE,
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

    limit = _ROWS_ON_A_SCREEN if max_rows is None and style is Format.TABLE else max_rows
    frame = run_select(query, open_home().home, max_rows=limit)
    if style is Format.TABLE:
        _print_table(frame)
    elif style is Format.CSV:
        frame.to_csv(sys.stdout, index=False)
    else:
        _with_iso_dates(frame).to_json(
            sys.stdout, orient="records", date_format="iso", date_unit="us", double_precision=15, force_ascii=False
        )
        typer.echo()
    if frame.attrs.get("truncated"):
        note(f"only the first {limit} rows are shown; --max-rows shows more")


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
    if role is Role.LIVE:
        return (
            f"no live scores{whose} yet: a forecast made before its session opened is scored when a later "
            "`stock-assets forecast` has that session's close"
        )
    return f"no {role or 'test or live'} scores{whose}: `stock-assets leaderboard` without --role shows those there are"


def _print_table(frame: "pd.DataFrame") -> None:
    from stock_assets.cli.layout import plain

    frame = _with_iso_dates(frame)
    rows = [{str(name): value for name, value in row.items()} for row in frame.to_dict(orient="records")]
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
