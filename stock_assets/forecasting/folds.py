"""The folds of the walk-forward backtest: which sessions each one learns from and predicts.

    labelled sessions  |---- first_train ----|p|-- step --|-- step --|-- st
    wf_00               train                 p  test
    wf_01               train                            p  test          (refit_every 1, expanding)

Folds are anchored at the ticker's first labelled session (docs/adr/0064): a later day lengthens the last fold or begins
a new one, and earlier fits stay what they are. One session is purged before each test block (`splits.py`).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pandas as pd

from stock_assets.forecasting.addresses import Rows
from stock_assets.forecasting.errors import InvalidPlan, TooFewRows
from stock_assets.forecasting.splits import MIN_TRAIN

Window = Literal["expanding", "rolling"]

FIRST_TRAIN = 378
"""Sessions the first fold learns from: a year and a half, a little more than any model needs."""
STEP = 126
"""Sessions a fold predicts: half a year."""
_PURGED = 1


@dataclass(frozen=True)
class Plan:
    """How a history is divided into folds; `InvalidPlan` where a value is out of range.

    Attributes:
        window: what a fold learns from: everything before it, or as many sessions as the first fold.
        first_train: labelled sessions the first fold learns from.
        step: sessions each fold predicts; the last one has what is left.
        refit_every: folds that share one fit.
    """

    window: str = "expanding"
    first_train: int = FIRST_TRAIN
    step: int = STEP
    refit_every: int = 1

    def __post_init__(self) -> None:
        """Refuse what no backtest can be made of."""
        if self.window not in get_args(Window):
            problem = f"the backtest's window is {self.window!r}, expected {' or '.join(get_args(Window))}"
            raise InvalidPlan(problem, cure="correct --window, or backtest_settings in the run's configuration")
        for name, least in (("first_train", MIN_TRAIN), ("step", 1), ("refit_every", 1)):
            value = getattr(self, name)
            if value < least:
                raise InvalidPlan(
                    f"the backtest's {name} is {value}, expected at least {least}",
                    cure=f"correct --{name.replace('_', '-')}, or backtest_settings in the run's configuration",
                )


@dataclass(frozen=True, eq=False)
class Fold:
    """One fold of a plan, numbered from 0 in time order.

    Attributes:
        refitted: whether it has a fit of its own; otherwise it uses that of the latest earlier fold that has.
        train: sessions whose labels its fit learned from, ascending.
        test: as-of sessions to predict from, ascending; all have a label.
    """

    number: int
    plan: Plan
    refitted: bool
    train: pd.DatetimeIndex
    test: pd.DatetimeIndex

    @property
    def name(self) -> str:
        """As in column `fold`."""
        return f"wf_{self.number:02d}"


def plan_folds(features: pd.DataFrame, plan: Plan) -> list[Fold]:
    """Divide one ticker's labelled sessions into folds. Which sessions are tested does not depend on `refit_every`.

    Rows of table `features` without a label (the newest) are in no fold. `TooFewRows` where none is left to predict.
    """
    rows = features.sort_values("session")
    labelled = pd.DatetimeIndex(rows.loc[rows["target_log_return"].notna(), "session"])
    first_test = plan.first_train + _PURGED
    if len(labelled) <= first_test:
        raise TooFewRows(
            f"a backtest that first learns from {plan.first_train} sessions needs at least {first_test + 1} with "
            f"features and a next session, and there are {len(labelled)}",
            cure="fetch a longer history (--lookback) or leave the ticker out",
        )
    folds: list[Fold] = []
    for number, start in enumerate(range(first_test, len(labelled), plan.step)):
        refitted = number % plan.refit_every == 0
        stop = start - _PURGED
        begin = stop - plan.first_train if plan.window == "rolling" else 0
        train = labelled[begin:stop] if refitted else folds[-1].train
        folds.append(Fold(number, plan, refitted, train, labelled[start : start + plan.step]))
    return folds


def as_splits(folds: Sequence[Fold], features: pd.DataFrame) -> pd.DataFrame:
    """The folds in the form of table `splits`: train, test, and purged for the sessions between them."""
    parts = []
    for fold in folds:
        rows = features.loc[features["session"].between(fold.train[0], fold.test[-1]), ["ticker", "session"]]
        is_in = [rows["session"].isin(sessions) for sessions in (fold.train, fold.test)]
        role = np.select(is_in, ["train", "test"], "purged")
        parts.append(rows.assign(fold=fold.name, role=role))
    return pd.concat(parts, ignore_index=True)


def training_rows(history: pd.DataFrame, fold: Fold) -> Rows:
    """Positions in a history of the labels that a fold learns from."""
    return np.flatnonzero(history["session"].isin(fold.train))
