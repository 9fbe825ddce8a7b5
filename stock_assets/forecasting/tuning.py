"""Hyper-parameter search within a training window: which settings a fit uses, chosen on time-ordered inner folds of it.

What belongs here: drawing settings, scoring them, and choosing. What does not: the fit that is then made with them
(`training.py`), and the range of each setting, which is declared by the model (`Forecaster.search_space`).
"""

import json
import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import isfinite, prod
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from stock_assets.forecasting.addresses import Rows, address
from stock_assets.forecasting.artifacts import TEMPORARY, ArtifactStore
from stock_assets.forecasting.errors import ArtifactMismatch
from stock_assets.forecasting.models import Forecaster, Progress, quiet
from stock_assets.forecasting.splits import HOLDOUT, roles
from stock_assets.forecasting.training import inner_folds
from stock_assets.forecasting.units import Fit, FitUnit, Steps, drive

_AT_ONCE = 4
"""Trials given out together: a killed search repeats no more than these."""
_COLUMNS: dict[str, Any] = {
    "ticker": object,
    "model": object,
    "study": object,
    "trial": "int64",
    "budget": "int64",
    "train_end": "datetime64[ns]",
    "hyper_parameters": object,
    "loss": float,
    "chosen": bool,
    "seconds": float,
}


@dataclass(frozen=True)
class Found:
    """What a search came to.

    Attributes:
        forecaster: the model with the chosen settings.
        trials: rows of table `tuning_trials`, one per setting tried.
    """

    forecaster: Forecaster
    trials: pd.DataFrame


def searching(
    forecaster: Forecaster,
    history: pd.DataFrame,
    rows: Rows,
    *,
    ticker: str,
    budget: int,
    store: ArtifactStore,
    progress: Progress = quiet,
) -> Steps[Found]:
    """Try settings at random (Bergstra & Bengio 2012, Journal of Machine Learning Research 13) and choose the best.

    Trial 0 is the forecaster as it is given. Each setting is fitted on every inner fold of `rows` and asked for the
    block that follows; the one with the least mean squared error of log returns over all blocks is chosen, the earlier
    of two that are equal. Draws derive from the forecaster's seed. A trial that the store has is not repeated.

    Args:
        forecaster: the model and its default settings; one without `search_space` is returned as it is.
        history: one ticker's history (`build_history`); nothing after the last of `rows` is looked at.
        rows: positions in `history` of the training labels, ascending.
        ticker: symbol.
        budget: settings to try, the default included; 0 for none.
        store: where finished trials are kept.
        progress: told the loss of each trial.

    Raises:
        TooFewRows: too few rows for the model's inner folds.
    """
    if budget == 0 or not forecaster.search_space:
        return Found(forecaster, no_trials())
    known = history.iloc[: rows[-1] + 1]
    study = _study(forecaster, known, rows, ticker, budget)
    candidates = draw(forecaster, budget)
    file = store.folder(ticker, forecaster.name, f"search-{study}.json")
    done = _read(file)
    while len(done) < len(candidates):
        some = [replace(forecaster, **settings) for settings in candidates[len(done) :][:_AT_ONCE]]
        units = [_fold_units(candidate, known, rows) for candidate in some]
        results = iter((yield [unit for of in units for unit in of]))
        for candidate, of in zip(some, units, strict=True):
            fits = [next(results) for _ in of]
            loss, seconds = _loss(candidate, known, rows, fits), sum(fit.seconds for fit in fits)
            done = [*done, {"loss": loss if isfinite(loss) else None, "seconds": seconds}]
            settings = candidates[len(done) - 1] or "the default"
            progress(f"trial {len(done)}/{len(candidates)} loss {loss:.4e} with {settings}")
        _write(file, done)
    losses = [np.inf if trial["loss"] is None else float(trial["loss"]) for trial in done]
    chosen = int(np.argmin(losses))
    table = pd.DataFrame(done).assign(
        ticker=ticker,
        model=forecaster.name,
        study=study,
        trial=range(len(done)),
        budget=budget,
        train_end=known["session"].iloc[-1],
        hyper_parameters=[_settings(replace(forecaster, **settings)) for settings in candidates],
        chosen=[number == chosen for number in range(len(done))],
    )
    return Found(replace(forecaster, **candidates[chosen]), table[list(_COLUMNS)].astype(_COLUMNS))


def search(forecaster: Forecaster, history: pd.DataFrame, rows: Rows, **options: Any) -> Found:
    """`searching` in this process; arguments and errors are its."""
    return drive(searching(forecaster, history, rows, **options))


def no_trials() -> pd.DataFrame:
    """An empty frame of table `tuning_trials`."""
    return pd.DataFrame(columns=list(_COLUMNS)).astype(_COLUMNS)


def train_rows(history: pd.DataFrame, splits: pd.DataFrame, fold: str = HOLDOUT) -> Rows:
    """Positions in `history` of the train rows of a fold of table `splits`: what a search before `train` looks at."""
    role = roles(splits, fold).reindex(pd.DatetimeIndex(history["session"])).to_numpy(dtype=object)
    return np.flatnonzero(role == "train")


def draw(forecaster: Forecaster, budget: int) -> list[dict[str, Any]]:
    """The settings of each trial as changes to `forecaster`: none first, then draws without replacement.

    Args:
        forecaster: its `search_space` is drawn from, by its seed.
        budget: most trials; fewer where the space has fewer combinations.
    """
    from sklearn.model_selection import ParameterSampler

    space = dict(forecaster.search_space)
    size = prod(len(values) for values in space.values())
    drawn = ParameterSampler(space, n_iter=min(budget, size), random_state=forecaster.seed)
    default = {name: getattr(forecaster, name) for name in space}
    return [{}, *(settings for settings in map(dict, drawn) if settings != default)][:budget]


def _fold_units(forecaster: Forecaster, history: pd.DataFrame, rows: Rows) -> list[FitUnit]:
    """A fit on each inner fold, asked about the block that follows."""
    return [
        FitUnit(forecaster, history.iloc[: learn[-1] + 1], history.iloc[: ask[-1] + 1], is_kept=False)
        for learn, ask in inner_folds(rows, forecaster)
    ]


def _loss(forecaster: Forecaster, history: pd.DataFrame, rows: Rows, fits: Sequence[Fit]) -> float:
    """Mean squared error of log returns over the inner folds, each asked of a fit on what came before it."""
    actual = history["target_log_return"].to_numpy(dtype=float)
    asked = [ask for _, ask in inner_folds(rows, forecaster)]
    errors = [actual[ask] - fit.predicted[ask] for ask, fit in zip(asked, fits, strict=True)]
    return float(np.mean(np.concatenate(errors) ** 2))


def _study(forecaster: Forecaster, known: pd.DataFrame, rows: Rows, ticker: str, budget: int) -> str:
    space = {name: list(values) for name, values in forecaster.search_space.items()}
    inputs = {"space": space, "budget": budget, "search": Path(__file__).read_text()}
    return address(forecaster, known, rows, ticker=ticker, kind="search", inputs=inputs)


def _settings(forecaster: Forecaster) -> str:
    return json.dumps(forecaster.settings(), sort_keys=True)


def _read(file: Path) -> list[dict[str, Any]]:
    """The finished trials of a search, in the order of their numbers."""
    if not file.exists():
        return []
    try:
        return [{name: trial[name] for name in ("loss", "seconds")} for trial in json.loads(file.read_text())]
    except (ValueError, TypeError, KeyError) as error:
        raise ArtifactMismatch(
            f"{file} does not hold the trials of a search", cure="remove it, and search again"
        ) from error


def _write(file: Path, trials: list[dict[str, Any]]) -> None:
    """Replace the file at once, so that a killed search leaves whole trials."""
    file.parent.mkdir(parents=True, exist_ok=True)
    writing = file.with_name(f"{TEMPORARY}{os.getpid()}-{file.name}")
    with writing.open("w") as opened:
        json.dump(trials, opened, indent=1)
        opened.flush()
        os.fsync(opened.fileno())
    writing.replace(file)
