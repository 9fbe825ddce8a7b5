"""Commands that work: `run`, `fetch`, `train`, `forecast`. Each starts real Dagster runs, one a market."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from stock_assets.cli.context import note, open_home, output, read_tickers, require_writable
from stock_assets.errors import StockAssetsError
from stock_assets.settings import Settings

if TYPE_CHECKING:
    import dagster as dg

    from stock_assets.runs import Options, Outcome, Work
    from storage.lake import Lake

_IN_FULL = 3
"""Most tickers whose every score is shown when a run is over; of more, a line each."""
Reasons = dict[str, str]
"""Ticker → why it is not complete."""

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
    str, typer.Option(metavar="PERIOD", help="How far back a first fetch reaches: 5y (default), 18mo, 250d.")
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
    """Start a job for the tickers of each market, with what was asked for, and show what came of it.

    Args:
        report: shows it, given the settings and the tickers that succeeded; by default scores, champion and forecasts.
        more: further fields of `stock_assets.runs.Options`.
    """
    settings = open_home()
    require_writable(settings.home)
    named = read_tickers(tickers or [])
    from stock_assets.instance import open_instance, report_dead_runs, sweep
    from stock_assets.runs import again, plan
    from stock_assets.tracking.parents import end_in_mlflow
    from storage.lake import Lake

    options = replace(_options(settings, source, csv_dir, lookback, models), **more)

    sweep(settings)
    with open_instance(settings) as instance:
        cut_off = [again(one) for one in report_dead_runs(instance, settings)]
        end_in_mlflow(instance, settings)
        lake = Lake(settings.lake_dir)
        ready, reasons = _ready(lake, settings, job, named or _universe(settings, cut_off), options)
        wanted = plan(job, ready, options, lake)
        for work in cut_off:
            names = ", ".join(work.tickers)
            note(f"a run of {names} was cut off; it is marked as failed and its work is done now")
        unfinished = [work for work in cut_off if not any(new.covers(work) for new in wanted)]
        done, failed = _execute_all(instance, settings, [*unfinished, *wanted])
    if job != "fetch":
        (report or _report)(settings, [ticker for ticker in done if ticker not in failed])
    _name_the_failed(reasons | failed, len(reasons) + len(done))


def _execute_all(
    instance: "dg.DagsterInstance", settings: Settings, works: Sequence["Work"]
) -> tuple[list[str], Reasons]:
    """Make the runs in turn. Returns the tickers worked on, and those of them that are not complete.

    Where somebody stopped it, `KeyboardInterrupt`: what is done is kept, and published.
    """
    from stock_assets.runs import execute

    outcomes: list[Outcome] = []
    for number, work in enumerate(works, start=1):
        if len(works) > 1:
            n = len(work.tickers)
            note(f"{work.market}: run {number} of {len(works)}, {n} ticker{'s' if n > 1 else ''}")
        outcomes.append(execute(instance, settings, work))
        if outcomes[-1].is_interrupted:
            waiting = [ticker for later in works[number:] for ticker in later.tickers]
            not_begun = f", {_names(waiting)} not begun" if waiting else ""
            note(f"interrupted: {_names(work.tickers)} unfinished{not_begun}")
            note("finished fits are kept — run it again")
            raise KeyboardInterrupt
    done = list(dict.fromkeys(ticker for outcome in outcomes for ticker in outcome.tickers))
    return done, {ticker: reason for outcome in outcomes for ticker, reason in outcome.failed.items()}


def _names(tickers: Sequence[str], at_most: int = 10) -> str:
    more = f" and {len(tickers) - at_most} more" if len(tickers) > at_most else ""
    return ", ".join(tickers[:at_most]) + more


def _options(settings: Settings, source: str, csv_dir: Path | None, lookback: str, models: str) -> "Options":
    from stock_assets.forecasting.ensembles import model_names
    from stock_assets.forecasting.models import BENCHMARK
    from stock_assets.runs import Options

    _check_source("--source", source)
    _check_source("STOCK_ASSETS_SOURCE", settings.source)
    _check_lookback("--lookback", lookback)
    _check_lookback("STOCK_ASSETS_LOOKBACK", settings.lookback)
    if csv_dir and source not in ("", "csv"):
        problem = f"--csv-dir was given with --source {source}, which reads no folder"
        raise WrongFlag(problem, cure="leave one of them out")
    if csv_dir and not csv_dir.is_dir():
        problem = f"--csv-dir is {str(csv_dir)!r}, which is not a folder"
        raise WrongFlag(problem, cure="name the folder of TICKER.csv files")
    named = read_models(models, model_names(), "which is no model")
    chosen = list(dict.fromkeys([BENCHMARK, *named])) if named else []
    # A folder of CSV files says which source is meant.
    return Options("csv" if csv_dir else source, str(csv_dir.resolve()) if csv_dir else "", lookback, chosen)


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


def read_models(text: str, known: Sequence[str], problem: str) -> list[str]:
    """Names of known models as typed, comma-separated, each once; `WrongFlag` for any other, with the problem."""
    names = list(dict.fromkeys(name.strip() for name in text.split(",") if name.strip()))
    unknown = [name for name in names if name not in known]
    if unknown or (text and not names):
        found = repr(unknown[0] if unknown else text)
        raise WrongFlag(f"--models names {found}, {problem}", cure=f"choose among {', '.join(known)}")
    return names


def _universe(settings: Settings, cut_off: Sequence["Work"]) -> list[str]:
    from storage.lake import Lake

    known = list(Lake(settings.lake_dir).read("tickers")["ticker"])
    if not known and not cut_off:
        problem = f"{settings.home} holds no tickers and none was named"
        raise NothingToDo(problem, cure="name one: --ticker AAPL (with --source sample if you have no network)")
    return known


def _ready(
    lake: "Lake", settings: Settings, job: str, tickers: Sequence[str], options: "Options"
) -> tuple[list[str], Reasons]:
    """The tickers a job can be started for, and why not the others: a wrong flag makes no healthy ticker red."""
    reasons = {ticker: _obstacle(lake, settings, job, ticker, options) for ticker in tickers}
    ready = [ticker for ticker, reason in reasons.items() if reason is None]
    return ready, {ticker: reason for ticker, reason in reasons.items() if reason is not None}


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
    if len(tickers) > _IN_FULL:
        with Reader(settings.home) as reader:
            newest = queries.latest_forecasts(reader)
        show.champions_forecasts(newest[newest["ticker"].isin(tickers)], console)
        return
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


def _name_the_failed(failed: Reasons, n: int) -> None:
    if not failed:
        return
    for ticker, reason in failed.items():
        note(f"FAILED {ticker}: {reason}")
    others = "; the others are complete" if len(failed) < n else ""
    raise SomeFailed(
        f"{len(failed)} of {n} failed: {_names(list(failed))}{others}",
        cure="each line above says why and what to do; what is not wanted: `stock-assets tickers remove NAME`",
    )
