"""Commands that work: `run`, `fetch`, `train`, `forecast`. Each starts real Dagster runs, one per ticker."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from stock_assets.cli.context import note, open_home, output, read_tickers
from stock_assets.errors import StockAssetsError
from stock_assets.settings import Settings

if TYPE_CHECKING:
    from stock_assets.runs import Options, Outcome

Tickers = Annotated[
    list[str] | None, typer.Option("--ticker", "-t", help="Ticker; repeat for several. Default: all known.")
]
Source = Annotated[str, typer.Option(help="Where bars come from: yahoo, sample or csv. Default: what the ticker uses.")]
CsvDir = Annotated[Path | None, typer.Option(help="Folder of TICKER.csv files, for --source csv.")]
Lookback = Annotated[str, typer.Option(help="How far back a first fetch reaches: 5y, 18mo, 250d.")]
Models = Annotated[str, typer.Option(help="Only these models, comma-separated. The random walk is always there.")]
Fast = Annotated[bool, typer.Option("--fast", help="Small model settings, for a look in seconds.")]


class NothingToDo(StockAssetsError):
    """No ticker was named and none is known."""


class UnknownModel(StockAssetsError):
    """No model file of that name."""


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
    _work("lineage", ticker, source, csv_dir, lookback, models, fast)


def fetch(ticker: Tickers = None, source: Source = "", csv_dir: CsvDir = None, lookback: Lookback = "") -> None:
    """Fetch new bars only."""
    _work("fetch", ticker, source, csv_dir, lookback, models="", fast=False)


def train(ticker: Tickers = None, models: Models = "", fast: Fast = False) -> None:
    """Train again on the bars at hand: new splits, every model, scores, champion, forecast."""
    _work("train", ticker, "", None, "", models, fast)


def forecast(
    ticker: Tickers = None, source: Source = "", csv_dir: CsvDir = None, lookback: Lookback = "", models: Models = ""
) -> None:
    """The daily update: new bars and a forecast from the stored models. Trains nothing."""
    _work("forecast", ticker, source, csv_dir, lookback, models, fast=False)


def _work(
    job: str, tickers: list[str] | None, source: str, csv_dir: Path | None, lookback: str, models: str, fast: bool
) -> None:
    settings = open_home()
    options = _options(source, csv_dir, lookback, models, fast)
    named = read_tickers(tickers or [])
    from stock_assets.runs import execute, open_instance, report_dead_runs, select, sweep

    sweep(settings)
    with open_instance(settings) as instance:
        cut_off = report_dead_runs(instance)
        for dead in cut_off:
            note(f"run {dead.run_id[:8]} of {dead.ticker} was cut off; it is marked as failed and its work is done now")
        wanted = _universe(settings, named, [dead.ticker for dead in cut_off if dead.ticker])
        outcomes = [execute(instance, ticker, select(job, options.models), options) for ticker in wanted]
    if job != "fetch":
        _report(settings, [outcome.ticker for outcome in outcomes if outcome.reason is None])
    _name_the_failed(outcomes)


def _options(source: str, csv_dir: Path | None, lookback: str, models: str, fast: bool) -> "Options":
    from datetime import date

    from stock_assets.forecasting.sessions import lookback_start
    from stock_assets.runs import Options
    from stock_assets.sources import open_source

    if source:
        open_source(source, csv_dir=csv_dir)
    if lookback:
        lookback_start(date(2020, 1, 2), lookback)
    return Options(source, str(csv_dir.resolve()) if csv_dir else "", lookback, _model_names(models), fast)


def _model_names(text: str) -> Sequence[str]:
    from stock_assets.forecasting.models import BENCHMARK, discover

    names = [name.strip() for name in text.split(",") if name.strip()]
    for name in names:
        if name not in discover():
            raise UnknownModel(f"there is no model {name!r}", cure=f"choose among {', '.join(discover())}")
    return list(dict.fromkeys([BENCHMARK, *names])) if names else []


def _universe(settings: Settings, named: Sequence[str], cut_off: Sequence[str]) -> list[str]:
    from storage.lake import Lake

    wanted = list(named) or list(Lake(settings.lake_dir).read("tickers")["ticker"])
    if not wanted:
        raise NothingToDo(
            f"{settings.home} holds no tickers and none was named",
            cure="name one: --ticker AAPL (with --source sample if you have no network)",
        )
    return list(dict.fromkeys([*wanted, *cut_off]))


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
    raise SomeFailed(
        f"{len(failed)} of {len(outcomes)} tickers failed ({names}); the others are complete",
        cure="each line above says why and what to do; then run those again",
    )
