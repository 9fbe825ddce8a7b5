"""A trained network as plain arrays: what it says is computed here, whichever framework trained it.

So a fit is loaded in a millisecond, and a day's update loads no framework. The frameworks' own answers are the oracle
in the tests of both networks.
"""

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Self

import numpy as np
from numpy.typing import NDArray

from stock_assets.forecasting.models._base import Floats

Singles = NDArray[np.float32]
FILE = "weights.npz"
_ROWS = 512
"""Windows that are answered together: bounds the memory."""


@dataclass(frozen=True, eq=False)
class Weights:
    """LSTM → LSTM → dense ReLU → dense 1. Gates come in the order input, forget, candidate, output.

    Attributes:
        kernel_1: of the first LSTM, for its inputs, shape (inputs, 4 · units).
        recurrent_1: for its state, shape (units, 4 · units).
        bias_1: shape (4 · units,).
        kernel_2: of the second LSTM, whose inputs are the first one's outputs.
        recurrent_2: for its state.
        bias_2: of the second LSTM.
        dense: of the ReLU layer, shape (units, dense).
        dense_bias: shape (dense,).
        output: shape (dense, 1).
        output_bias: shape (1,).
    """

    kernel_1: Singles
    recurrent_1: Singles
    bias_1: Singles
    kernel_2: Singles
    recurrent_2: Singles
    bias_2: Singles
    dense: Singles
    dense_bias: Singles
    output: Singles
    output_bias: Singles

    def predict(self, x: Singles) -> Floats:
        """Output of every window, shape (len(x),); x is scaled, shape (windows, sessions, inputs)."""
        parts = [self._forward(x[start : start + _ROWS]) for start in range(0, len(x), _ROWS)]
        return np.concatenate(parts).astype(np.float64) if parts else np.empty(0)

    def _forward(self, x: Singles) -> Singles:
        sequence = _lstm(x, self.kernel_1, self.recurrent_1, self.bias_1)
        last = _lstm(sequence, self.kernel_2, self.recurrent_2, self.bias_2)[:, -1]
        dense = np.maximum(last @ self.dense + self.dense_bias, 0)
        said: Singles = (dense @ self.output + self.output_bias)[:, 0]
        return said

    def save(self, folder: Path) -> None:
        """Write the arrays."""
        np.savez(folder / FILE, **{field.name: getattr(self, field.name) for field in fields(self)})

    @classmethod
    def load(cls, folder: Path) -> Self:
        """Read what `save` wrote, without running any code that is in it."""
        with np.load(folder / FILE, allow_pickle=False) as arrays:
            return cls(**{name: arrays[name] for name in arrays.files})


def _lstm(x: Singles, kernel: Singles, recurrent: Singles, bias: Singles) -> Singles:
    """Outputs of an LSTM for inputs of shape (windows, sessions, inputs), as (windows, sessions, units).

    Hochreiter & Schmidhuber (1997), Neural Computation 9, with the forget gate of Gers, Schmidhuber & Cummins (2000).
    """
    n_windows, n_sessions, _ = x.shape
    units = len(recurrent)
    inputs = x @ kernel + bias
    state, cell = (np.zeros((n_windows, units), np.float32) for _ in range(2))
    outputs = np.empty((n_windows, n_sessions, units), np.float32)
    for session in range(n_sessions):
        gates = inputs[:, session] + state @ recurrent
        let_in, forget, candidate, let_out = np.split(gates, 4, axis=1)
        cell = _sigmoid(forget) * cell + _sigmoid(let_in) * np.tanh(candidate)
        state = _sigmoid(let_out) * np.tanh(cell)
        outputs[:, session] = state
    return outputs


def _sigmoid(values: Singles) -> Singles:
    # Through tanh, which does not overflow.
    half = np.float32(0.5)
    squashed: Singles = half * np.tanh(half * values) + half
    return squashed
