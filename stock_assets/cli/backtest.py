"""The command `backtest`: walk every model forward through the history at hand."""

from typing import Annotated, Any

import typer

from stock_assets.cli.runs import Fast, Models, Tickers, Tune, work

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
    int | None,
    typer.Option(metavar="N", help="Folds that share one fit. Default: 1, and more for networks."),
]


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
