"""Windows of bars for the networks: cutting, scaling and splitting them. Pure numpy; no network lives here."""

from dataclasses import dataclass
from typing import Any, Self

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view

from stock_assets.forecasting.models._base import Floats, Target

INPUTS = ("open", "high", "low", "close", "adj_close", "volume")
_LOWEST_VOLUME = 0.01  # of the window's mean: the logarithm of a session without trades would be minus infinity
_LOWEST_LEVEL = 0.01  # of today's price: a predicted level of zero or below has no logarithm


def cut_windows(history: pd.DataFrame, length: int, target: Target) -> Floats:
    """Inputs of every row that has `length` sessions: its own and the `length - 1` before it.

    For the target "price" they are the bars as they are. For "log_return" they mean the same at any price level: open,
    high, low and close as log ratios to the window's last close, adj_close to its own last value (so that neither a
    restated split nor a restated dividend factor changes an input), and volume to its mean over the window, counted as
    at least 1 % of it.

    Returns:
        Array of shape (max(len(history) - length + 1, 0), length, 6), columns as in `INPUTS`; the first window ends at
        row `length - 1`.
    """
    bars = history.loc[:, list(INPUTS)].to_numpy(np.float64)
    if len(bars) < length:
        return np.empty((0, length, len(INPUTS)))
    levels = sliding_window_view(bars, length, axis=0).transpose(0, 2, 1)
    return levels.copy() if target == "price" else _relative(levels)


def _relative(levels: Floats) -> Floats:
    relative = np.empty_like(levels)
    last = levels[:, -1:, :]
    relative[:, :, :4] = np.log(levels[:, :, :4] / last[:, :, 3:4])
    relative[:, :, 4] = np.log(levels[:, :, 4] / last[:, :, 4])
    volume = levels[:, :, 5]
    mean = volume.mean(axis=1, keepdims=True)
    share = np.divide(volume, mean, out=np.ones_like(volume), where=mean > 0)  # an index may have no volume at all
    relative[:, :, 5] = np.log(np.maximum(share, _LOWEST_VOLUME))
    return relative


def labels(history: pd.DataFrame, target: Target) -> Floats:
    """What each row is asked for, shape (len(history),): its next log return, or the next adjusted close."""
    log_return = history["target_log_return"].to_numpy(np.float64)
    if target == "log_return":
        return log_return
    levels: Floats = history["adj_close"].to_numpy(np.float64) * np.exp(log_return)
    return levels


def to_log_return(outputs: Floats, adj_close: Floats, target: Target) -> Floats:
    """Network outputs in label units as log returns, given the adjusted close of the same rows."""
    if target == "log_return":
        return outputs
    log_return: Floats = np.log(np.maximum(outputs / adj_close, _LOWEST_LEVEL))
    return log_return


@dataclass(frozen=True)
class MinMaxScaler:
    """Maps what was seen at fit time onto 0 … 1, column by column; later values may lie outside.

    Attributes:
        low: smallest value of each column, shape (columns,).
        high: largest value of each column, shape (columns,).
    """

    low: Floats
    high: Floats

    @classmethod
    def fit(cls, values: Floats) -> Self:
        """Learn from `values` of shape (…, columns)."""
        rows = values.reshape(-1, values.shape[-1])
        return cls(rows.min(axis=0), rows.max(axis=0))

    def scale(self, values: Floats) -> Floats:
        """`values` of shape (…, columns) on the scale of the network."""
        return (values - self.low) / self._width()

    def restore(self, scaled: Floats) -> Floats:
        """Back to the units of the data."""
        return scaled * self._width() + self.low

    def _width(self) -> Floats:
        width = self.high - self.low
        width[width == 0] = 1.0  # a column that never changes becomes zeros
        return width

    def to_json(self) -> dict[str, list[float]]:
        """Parameters as JSON-able values, exact."""
        return {"low": self.low.tolist(), "high": self.high.tolist()}

    @classmethod
    def from_json(cls, parameters: dict[str, Any]) -> Self:
        """The inverse of `to_json`."""
        return cls(np.asarray(parameters["low"], np.float64), np.asarray(parameters["high"], np.float64))


def split_for_stopping(n_windows: int) -> tuple[slice, slice]:
    """Time-ordered windows to learn from, and the last tenth, on which early stopping is decided.

    One window between them is left out: its label is the first session of the last tenth.
    """
    n_stopping = max(n_windows // 10, 1)
    return slice(0, n_windows - n_stopping - 1), slice(n_windows - n_stopping, n_windows)
