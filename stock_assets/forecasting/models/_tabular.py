"""What the tree models share: one row of numbers per session, from the feature table or from lagged price levels."""

from dataclasses import dataclass, field, fields
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stock_assets.forecasting.errors import ArtifactMismatch
from stock_assets.forecasting.features import FEATURES
from stock_assets.forecasting.models._base import Floats, Forecaster, Target
from stock_assets.forecasting.models._windows import labels

LAGS = (1, 2, 3, 5, 10, 20)
"""Lags of the reference formulation, counted back from the session that is predicted."""

TABULAR_CONTEXT = max(LAGS)


@dataclass(frozen=True)
class _ByTarget:
    """A default that waits to be told what is learned."""

    log_return: Any
    price: Any


def by_target(*, log_return: Any, price: Any) -> Any:
    """Default of a hyper-parameter that depends on `target`, in a `TabularForecaster`.

    Args:
        log_return: for next-day returns, which are nearly all noise.
        price: for the reference formulation, whose levels are nearly all signal.
    """
    return field(default=_ByTarget(log_return, price))


@dataclass(frozen=True, kw_only=True)
class TabularForecaster(Forecaster):
    """A tree model: `by_target` defaults become plain values, so that `settings()` shows the ones that are used."""

    def __post_init__(self) -> None:
        """Fill in what was not given."""
        for parameter in fields(self):
            value = getattr(self, parameter.name)
            if isinstance(value, _ByTarget):
                object.__setattr__(self, parameter.name, getattr(value, self.target))


@dataclass(frozen=True)
class TrainingTable:
    """Rows that are complete, for a regression.

    Attributes:
        columns: names of the inputs, in order.
        inputs: shape (n, len(columns)).
        labels: shape (n,); the next log return, or the next adjusted close.
    """

    columns: tuple[str, ...]
    inputs: Floats
    labels: Floats


def training_table(history: pd.DataFrame, target: Target) -> TrainingTable:
    """The rows of `history` whose inputs and label are all known."""
    columns = tuple(feature.name for feature in FEATURES) if target == "log_return" else tuple(map(_lag_name, LAGS))
    inputs, is_complete = input_rows(history, columns)
    asked_for = labels(history, target)
    is_usable = is_complete & np.isfinite(asked_for)
    return TrainingTable(columns, inputs[is_usable], asked_for[is_usable])


def input_rows(history: pd.DataFrame, columns: tuple[str, ...]) -> tuple[Floats, NDArray[np.bool_]]:
    """Inputs of every row, shape (len(history), len(columns)), and which rows are complete.

    Raises:
        ArtifactMismatch: the model was fitted on a feature this history does not have.
    """
    lags = {_lag_name(lag): lag for lag in LAGS}
    missing = [name for name in columns if name not in lags and name not in history]
    if missing:
        raise ArtifactMismatch(
            f"the model was fitted on features {', '.join(missing)}, which the feature table does not have",
            cure="train the model again on today's features",
        )
    # The row of session t predicts t + 1, so lag 1 of what is predicted is the row's own level.
    values = [history["adj_close"].shift(lags[name] - 1) if name in lags else history[name] for name in columns]
    inputs = np.column_stack([column.to_numpy(dtype=float) for column in values])
    return inputs, np.isfinite(inputs).all(axis=1)


def _lag_name(lag: int) -> str:
    return f"adj_close_lag_{lag}"
