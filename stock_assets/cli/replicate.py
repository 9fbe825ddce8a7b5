"""`replicate`: the reference project's protocol beside ours, on bars from a folder of CSV files. Touches no home."""

import tempfile
from datetime import UTC, date, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stock_assets.cli.context import note, output, read_ticker
from stock_assets.cli.runs import Fast, read_models
from stock_assets.cli.tables import Style, write

if TYPE_CHECKING:
    import pandas as pd

    from stock_assets.forecasting.replication import Replication

_BEFORE_ALL_BARS = date(1970, 1, 1)


def replicate(
    csv_dir: Annotated[Path, typer.Option(metavar="FOLDER", help="Folder of TICKER.csv files in Yahoo's format.")],
    ticker: Annotated[str, typer.Option("--ticker", "-t", metavar="NAME", help="Which of them.")] = "AAPL",
    models: Annotated[
        str, typer.Option(metavar="NAMES", help="Only these models, comma-separated; a wrong name lists them all.")
    ] = "",
    fast: Fast = False,
    style: Style = "table",
) -> None:
    """The reference project's scores, its protocol run by our models, and ours, beside the random walk.

    Trains in a temporary folder; no home is touched. By default some minutes, with --fast seconds.
    """
    from stock_assets.forecasting.artifacts import ArtifactStore
    from stock_assets.forecasting.replication import PUBLISHED
    from stock_assets.forecasting.replication import replicate as run

    chosen = read_models(models, list(PUBLISHED), "for which the reference published nothing") or list(PUBLISHED)
    name = read_ticker(ticker)
    prices, calendar = _read(csv_dir, name)
    with tempfile.TemporaryDirectory(prefix="stock-assets-replicate-") as folder:
        found = run(
            prices,
            ticker=name,
            calendar=calendar,
            store=ArtifactStore(Path(folder)),
            now=lambda: datetime.now(UTC),
            models=chosen,
            fast=fast,
            progress=note,
        )
    _say_what_it_is(found, name, fast)
    write(found.scores, style, _print_table)


def _read(csv_dir: Path, ticker: str) -> "tuple[pd.DataFrame, str]":
    """Table `prices` as a fetch from the folder would make it, checked, and the name of its calendar."""
    import pandas as pd

    from stock_assets.forecasting.findings import refuse
    from stock_assets.forecasting.prices import RAW_COLUMNS, build_prices, check_prices, reconcile
    from stock_assets.sources import open_source

    now = datetime.now(UTC)
    bars = open_source("csv", csv_dir=csv_dir).fetch(ticker, _BEFORE_ALL_BARS, now.date(), now=now)
    stored = pd.DataFrame(columns=RAW_COLUMNS)
    raw = reconcile(stored, bars.frame, ticker=ticker, source="csv", fetched_at=now).rows
    prices = build_prices(raw, calendar=bars.calendar)
    refuse(check_prices(prices, bars.calendar), subject=f"prices of {ticker}")
    return prices, bars.calendar


def _say_what_it_is(found: "Replication", ticker: str, fast: bool) -> None:
    from stock_assets.forecasting import replication

    test = found.scores[found.scores["formulation"] == "benchmark"].iloc[0]
    note(
        f"{ticker}: {found.n_bars:,} bars from {found.first_session} to {found.last_session}; scored on {test['n']} "
        f"sessions from {test['first_session']:%Y-%m-%d} to {test['last_session']:%Y-%m-%d}, the same for every model "
        "of ours"
    )
    reference = (
        f"{replication.TICKER} from {replication.FIRST_SESSION} to {replication.LAST_SESSION}, "
        f"{replication.SESSIONS:,} bars"
    )
    if found.is_reference:
        note(
            f"These are the reference's sessions ({reference}). It scored each model on rows of its own: compare the "
            "ratios to the random walk, not the dollars."
        )
    else:
        note(f"NOT THE REFERENCE'S BARS ({reference}): the published numbers are shown and cannot be compared.")
    if fast:
        note("--fast: small models, whose scores say nothing about the full ones.")


def _print_table(scores: "pd.DataFrame") -> None:
    from stock_assets.cli.layout import Field, fit, number, records, text

    fields = (
        Field("model", text("model"), left=True),
        Field("whose", text("formulation"), left=True),
        Field("RMSE", number("rmse")),
        Field("MAE", number("mae")),
        Field("random walk's\nRMSE", number("rmse_random_walk")),
        Field("random walk's\nMAE", number("mae_random_walk"), optional=1),
        Field("RMSE over\nits", number("rmse_ratio")),
        Field("rows", text("n")),
    )
    rows = records(scores)
    console = output()
    console.print(fit(fields, rows, console))
    for row in rows:
        if row["formulation"] == "published":
            console.print(f"{row['model']}, published: {row['note']}", style="dim", soft_wrap=True)
