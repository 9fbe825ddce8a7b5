"""Commands that work: `run`, `fetch`, `train`, `forecast`. Each starts real Dagster runs, one per ticker."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stock_assets.cli.batches import execute_all
from stock_assets.cli.context import note, open_home, output, read_tickers, require_writable
from stock_assets.errors import StockAssetsError
from stock_assets.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

    from stock_assets.runs import Options, Outcome, Work
    from storage.lake import Lake

Tickers = Annotated[
    list[str] | None,
    typer.Option("--ticker", "-t", metavar="NAME", help="Ticker; repeat for several. Default: all known."),
]
Source = Annotated[
    str,
    typer.Option(
        metavar="NAME",
        help="yahoo, sample or csv. Default: what the ticker uses, else STOCK_ASSETS_SOURCE, else yahoo.",
    ),
]
CsvDir = Annotated[
    Path | None,
    typer.Option(metavar="FOLDER", help="Folder of TICKER.csv files; means --source csv. Else STOCK_ASSETS_CSV_DIR."),
]
Lookback = Annotated[
    str,
    typer.Option(metavar="PERIOD", help="How far back a first fetch reaches: 5y (default), 18mo, 250d."),
]
Models = Annotated[
    str,
    typer.Option(
        metavar="NAMES",
        help="Only these models, comma-separated; a wrong name lists them all. The random walk is always there. "
        "An ensemble uses stored fits of models not named, if those learned from the same sessions.",
    ),
]
Fast = Annotated[bool, typer.Option("--fast", help="Small model settings, for a look in seconds.")]
Tune = Annotated[
    int,
    typer.Option(
        metavar="N", min=0, help="Search for settings: how many to try in each training window. Default: 0, no search."
    ),
]


class NothingToDo(StockAssetsError):
    """No ticker was named and none is known."""


class WrongFlag(StockAssetsError):
    """A flag, or the environment variable behind it, that cannot be used."""


class SomeFailed(StockAssetsError):
    """At least one ticker failed; the others are complete."""


def register(app: typer.Typer) -> None:
    """Add the commands."""
    app.command("run")(run)
    app.command("fetch")(fetch)
    app.command("train")(train)
    app.command("forecast")(forecast)


def run(
    ticker: Tickers = None,
    source: Source = "",
    csv_dir: CsvDir = None,
    lookback: Lookback = "",
    models: Models = "",
    fast: Fast = False,
) -> None:
    """Everything, from bars to forecast: fetch, features, splits, training, scores, champion, forecast."""
    work("lineage", ticker, source, csv_dir, lookback, models, fast=fast)


def fetch(ticker: Tickers = None, source: Source = "", csv_dir: CsvDir = None, lookback: Lookback = "") -> None:
    """Fetch new bars only."""
    work("fetch", ticker, source, csv_dir, lookback)


def train(ticker: Tickers = None, models: Models = "", fast: Fast = False, tune: Tune = 0) -> None:
    """Train again on the bars at hand: new splits, every model, scores, champion, forecast."""
    work("train", ticker, models=models, fast=fast, tune=tune)


def forecast(
    ticker: Tickers = None, source: Source = "", csv_dir: CsvDir = None, lookback: Lookback = "", models: Models = ""
) -> None:
    """The daily update: new bars and a forecast from the stored models. Trains nothing."""
    work("forecast", ticker, source, csv_dir, lookback, models)


def work(
    job: str,
    tickers: list[str] | None,
    source: str = "",
    csv_dir: Path | None = None,
    lookback: str = "",
    models: str = "",
    report: Callable[[Settings, Sequence[str]], None] | None = None,
    **more: Any,
) -> None:
    """Start a job for each ticker, with what was asked for, and show what came of it.

    Args:
        report: shows it, given the settings and the tickers that succeeded; by default scores, champion and forecasts.
        more: further fields of `stock_assets.runs.Options`.
    """
    settings = open_home()
    require_writable(settings.home)
    named = read_tickers(tickers or [])
    from stock_assets.runs import SHORT_JOBS, open_instance, plan, report_dead_runs, sweep

    options = replace(_options(settings, source, csv_dir, lookback, models), **more)

    sweep(settings)
    are_short = job in SHORT_JOBS
    with open_instance(settings, for_many=are_short) as instance:
        cut_off = report_dead_runs(instance, settings)
        ready, outcomes = _ready(settings, job, named or _universe(settings, cut_off), options)
        wanted = plan(job, ready, options)
        unfinished = [work for work in cut_off if not any(new.covers(work) for new in wanted)]
        for work in cut_off:
            note(f"a run of {work.ticker} was cut off; it is marked as failed and its work is done now")
        outcomes += execute_all(instance, settings, [*unfinished, *wanted], are_short=are_short)
        outcomes += _pool(instance, settings) if job not in ("fetch", "leak_audit", "drift_check") else []
    if job != "fetch":
        (report or _report)(
            settings, list(dict.fromkeys(outcome.ticker for outcome in outcomes if outcome.reason is None))
        )
    _name_the_failed(outcomes)


def _pool(instance: "dg.DagsterInstance", settings: Settings) -> list["Outcome"]:
    """What several tickers together show, after their runs; only a failure is an outcome of its own."""
    from stock_assets.runs import Outcome
    from stock_assets.universe import execute_universe

    reason = execute_universe(instance, settings)
    return [] if reason is None else [Outcome("all tickers together", reason)]


def _options(settings: Settings, source: str, csv_dir: Path | None, lookback: str, models: str) -> "Options":
    from stock_assets.runs import Options

    _check_source("--source", source)
    _check_source("STOCK_ASSETS_SOURCE", settings.source)
    _check_lookback("--lookback", lookback)
    _check_lookback("STOCK_ASSETS_LOOKBACK", settings.lookback)
    if csv_dir and source not in ("", "csv"):
        raise WrongFlag(
            f"--csv-dir was given with --source {source}, which reads no folder", cure="leave one of them out"
        )
    if csv_dir and not csv_dir.is_dir():
        raise WrongFlag(
            f"--csv-dir is {str(csv_dir)!r}, which is not a folder", cure="name the folder of TICKER.csv files"
        )
    # A folder of CSV files says which source is meant.
    return Options(
        "csv" if csv_dir else source, str(csv_dir.resolve()) if csv_dir else "", lookback, _model_names(models)
    )


def _check_source(where: str, name: str) -> None:
    from stock_assets.sources import source_names

    if name and name not in source_names():
        expected = ", ".join(source_names())
        raise WrongFlag(f"{where} is {name!r}; expected one of {expected}", cure=f"correct {where}")


def _check_lookback(where: str, text: str) -> None:
    from stock_assets.forecasting.errors import InvalidLookback
    from stock_assets.forecasting.sessions import lookback_start

    if not text:
        return
    try:
        lookback_start(date(2020, 1, 2), text)
    except InvalidLookback as error:
        raise WrongFlag(f"{where}: {error.problem}", cure=f"correct {where}") from error


def _model_names(text: str) -> Sequence[str]:
    from stock_assets.forecasting.models import BENCHMARK, discover

    names = [name.strip() for name in text.split(",") if name.strip()]
    unknown = [name for name in names if name not in discover()]
    if unknown or (text and not names):
        found = repr(unknown[0]) if unknown else repr(text)
        raise WrongFlag(f"--models names {found}, which is no model", cure=f"choose among {', '.join(discover())}")
    return list(dict.fromkeys([BENCHMARK, *names])) if names else []


def _universe(settings: Settings, cut_off: Sequence["Work"]) -> list[str]:
    from storage.lake import Lake

    known = list(Lake(settings.lake_dir).read("tickers")["ticker"])
    if not known and not cut_off:
        raise NothingToDo(
            f"{settings.home} holds no tickers and none was named",
            cure="name one: --ticker AAPL (with --source sample if you have no network)",
        )
    return known


def _ready(
    settings: Settings, job: str, tickers: Sequence[str], options: "Options"
) -> tuple[list[str], list["Outcome"]]:
    """The tickers a job can be started for, and why not the others: a wrong flag makes no healthy ticker red."""
    from stock_assets.runs import Outcome
    from storage.lake import Lake

    lake = Lake(settings.lake_dir)
    reasons = {ticker: _obstacle(lake, settings, job, ticker, options) for ticker in tickers}
    ready = [ticker for ticker, reason in reasons.items() if reason is None]
    return ready, [Outcome(ticker, reason) for ticker, reason in reasons.items() if reason is not None]


def _obstacle(lake: "Lake", settings: Settings, job: str, ticker: str, options: "Options") -> str | None:
    if job in ("train", "backtest") and lake.read("prices", ticker=ticker).empty:
        return f"it has no bars in {settings.home} — `stock-assets run --ticker {ticker}`"
    if job in ("forecast", "backtest", "leak_audit", "drift_check") and lake.read("models", ticker=ticker).empty:
        return f"it was never trained in {settings.home} — `stock-assets run --ticker {ticker}`"
    from storage.errors import SourceIsFixed
    from storage.universe import require_one_source

    try:
        require_one_source(lake, ticker, options.source)
    except SourceIsFixed as error:
        return str(error)
    return None


def _report(settings: Settings, tickers: Sequence[str]) -> None:
    from stock_assets.cli import show
    from storage import queries
    from storage.published import Reader

    console = output()
    for ticker in tickers:
        with Reader(settings.home) as reader:
            scores = queries.leaderboard(reader, ticker)
            champion = queries.champion(reader, ticker)
            newest = queries.latest_forecasts(reader, ticker)
        # Validation rows chose the champion; only rows that nothing was chosen on are shown as scores.
        scores = scores[scores["role"] != "validation"]
        show.leaderboard(scores, console, sample=set(newest.loc[newest["source"] == "sample", "ticker"]))
        show.champions(champion, console)
        show.forecasts(newest, console)


def _name_the_failed(outcomes: Sequence["Outcome"]) -> None:
    failed = [outcome for outcome in outcomes if outcome.reason is not None]
    if not failed:
        return
    for outcome in failed:
        note(f"FAILED {outcome.ticker}: {outcome.reason}")
    names = ", ".join(outcome.ticker for outcome in failed)
    others = "; the others are complete" if len(failed) < len(outcomes) else ""
    raise SomeFailed(
        f"{len(failed)} of {len(outcomes)} failed: {names}{others}",
        cure="each line above says why and what to do; what is not wanted: `stock-assets tickers remove NAME`",
    )
