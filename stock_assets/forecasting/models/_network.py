"""The reference network, apart from any framework: hyper-parameters, the training loop, prediction and storage.

A framework's file supplies a `Network`: how weights are made, stepped, evaluated and written. Everything that decides a
score (windows, scaling, order of batches, early stopping) is here, once.
"""

import json
from abc import abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar, Protocol, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from stock_assets.forecasting.models._base import Fitted, Floats, Forecaster, Losses, Progress
from stock_assets.forecasting.models._inference import FILE as WEIGHTS_FILE
from stock_assets.forecasting.models._inference import Singles, Weights
from stock_assets.forecasting.models._windows import (
    MinMaxScaler,
    cut_windows,
    labels,
    split_for_stopping,
    to_log_return,
)

_CONTEXT = 60
_SCALERS_FILE = "scalers.json"
_REPORT_EVERY = 5  # epochs


class Network(Protocol):
    """LSTM → dropout → LSTM → dropout → dense ReLU → dense 1, in some framework, on scaled values."""

    def train_epoch(self, x: Singles, y: Singles, batches: list[NDArray[np.int64]]) -> float:
        """One optimiser step a batch of row numbers; mean squared error over the epoch, dropout on."""

    def predict(self, x: Singles) -> Floats:
        """Output of every window, shape (len(x),), dropout off."""

    def shift_output(self, amount: float) -> None:
        """Add to the bias of the output."""

    def snapshot(self) -> Any:
        """A copy of the weights that later steps do not change."""

    def restore(self, weights: Any) -> None:
        """Put the weights of a snapshot back."""

    def weights(self) -> Weights:
        """The weights as plain arrays."""

    def save(self, folder: Path) -> None:
        """Write the framework's own file, for people who want to go on with it there."""


@dataclass(frozen=True, kw_only=True)
class NetworkForecaster(Forecaster):
    """The reference architecture; the defaults are the reference's.

    Attributes:
        window: sessions in a window, at most `context`.
        units_1: width of the first LSTM.
        units_2: width of the second LSTM.
        dropout: share of its outputs dropped after each LSTM while training.
        dense: width of the ReLU layer.
        learning_rate: of Adam.
        batch_size: windows a step.
        max_epochs: passes over the training windows at most.
        patience: epochs without a better loss on the last tenth before training stops.
    """

    min_rows: ClassVar[int] = 180
    is_exact: ClassVar[bool] = False
    context: ClassVar[int | None] = _CONTEXT
    backtest_refit_every: ClassVar[int] = 4
    search_space: ClassVar[Mapping[str, Sequence[Any]]] = {
        "window": (20, 40, 60),
        "dropout": (0.0, 0.1, 0.2, 0.4),
        "learning_rate": (3e-4, 1e-3, 3e-3),
        "batch_size": (32, 64, 128),
    }

    window: int = _CONTEXT
    units_1: int = 64
    units_2: int = 32
    dropout: float = 0.2
    dense: int = 16
    learning_rate: float = 1e-3
    batch_size: int = 32
    max_epochs: int = 50
    patience: int = 10

    def __post_init__(self) -> None:
        """Refuse a window that `context` would not cover."""
        if not 2 <= self.window <= _CONTEXT:
            raise ValueError(f"window is {self.window}, expected 2 … {_CONTEXT}")

    @classmethod
    def fast(cls, **settings: Any) -> Self:
        """A small network and few epochs."""
        return cls(**{"units_1": 8, "units_2": 4, "dense": 4, "batch_size": 128, "max_epochs": 3, **settings})

    def _fit(self, history: pd.DataFrame, progress: Progress) -> "NetworkFitted":
        windows = cut_windows(history, self.window, self.target)
        label = labels(history, self.target)[self.window - 1 :, np.newaxis]
        learning, stopping = split_for_stopping(len(windows))
        inputs, output = _scalers(windows, label)
        x = inputs.scale(windows).astype(np.float32)
        y = output.scale(label)[:, 0].astype(np.float32)
        network = self.make_network(y[learning])
        losses = train(
            network, (x[learning], y[learning]), (x[stopping], y[stopping]), settings=self, progress=progress
        )
        return NetworkFitted(self, network.weights(), inputs, output, losses, network)

    def standardisation(self, history: pd.DataFrame) -> Mapping[str, Floats]:
        """Lowest and highest input and label of the rows learned from."""
        windows = cut_windows(history, self.window, self.target)
        return _as_arrays(*_scalers(windows, labels(history, self.target)[self.window - 1 :, np.newaxis]))

    @abstractmethod
    def make_network(self, y: Singles) -> Network:
        """Fresh weights drawn from `seed`; the output's bias is the mean of the scaled labels `y`."""

    @classmethod
    def load(cls, folder: Path, settings: dict[str, Any]) -> "NetworkFitted":
        """Read what `NetworkFitted.save` wrote."""
        forecaster = cls(**settings)
        scalers = json.loads((folder / _SCALERS_FILE).read_text(encoding="utf-8"))
        inputs, output = MinMaxScaler.from_json(scalers["inputs"]), MinMaxScaler.from_json(scalers["output"])
        losses = Losses.from_files({path.name: path.read_bytes() for path in folder.glob("*.json")}) or Losses((), ())
        if (folder / WEIGHTS_FILE).exists():
            return NetworkFitted(forecaster, Weights.load(folder), inputs, output, losses)
        # A fit from before weights were kept as arrays has them in the framework's file alone.
        return NetworkFitted(forecaster, forecaster.load_network(folder).weights(), inputs, output, losses)

    @abstractmethod
    def load_network(self, folder: Path) -> Network:
        """The network that `Network.save` wrote, read without running code."""


class NetworkFitted(Fitted):
    """A trained network with its scalers.

    Args:
        forecaster: its hyper-parameters.
        weights: what was learned.
        inputs: scaler of the windows.
        output: scaler of the labels.
        losses: of every epoch.
        network: as its framework has it, right after the fit; None where it was read from files.
    """

    def __init__(
        self,
        forecaster: NetworkForecaster,
        weights: Weights,
        inputs: MinMaxScaler,
        output: MinMaxScaler,
        losses: Losses,
        network: Network | None = None,
    ) -> None:
        self.forecaster: NetworkForecaster = forecaster
        self.weights = weights
        self.network = network
        self.inputs = inputs
        self.output = output
        self.losses: Losses = losses

    def predict(self, history: pd.DataFrame) -> Floats:
        """See `Fitted.predict`; NaN where fewer than `window` sessions are known."""
        window, target = self.forecaster.window, self.forecaster.target
        predicted = np.full(len(history), np.nan)
        windows = cut_windows(history, window, target)
        if len(windows):
            scaled = self.weights.predict(self.inputs.scale(windows).astype(np.float32))
            outputs = self.output.restore(scaled[:, np.newaxis])[:, 0]
            adj_close = history["adj_close"].to_numpy(np.float64)[window - 1 :]
            predicted[window - 1 :] = to_log_return(outputs, adj_close, target)
        return predicted

    def standardisation(self) -> Mapping[str, Floats]:
        """See `NetworkForecaster.standardisation`."""
        return _as_arrays(self.inputs, self.output)

    def save(self, folder: Path) -> None:
        """Write scalers and losses as JSON, the weights as arrays, and the framework's own file."""
        scalers = {"inputs": self.inputs.to_json(), "output": self.output.to_json()}
        (folder / _SCALERS_FILE).write_text(json.dumps(scalers, indent=1), encoding="utf-8")
        for name, content in self.losses.to_files().items():
            (folder / name).write_text(content, encoding="utf-8")
        self.weights.save(folder)
        if self.network is not None:
            self.network.save(folder)


def _scalers(windows: Floats, label: Floats) -> tuple[MinMaxScaler, MinMaxScaler]:
    """Of inputs and labels, from the rows learned from: those that stop the training do not count."""
    learning, _ = split_for_stopping(len(windows))
    return MinMaxScaler.fit(windows[learning]), MinMaxScaler.fit(label[learning])


def _as_arrays(inputs: MinMaxScaler, output: MinMaxScaler) -> dict[str, Floats]:
    return {"inputs": np.stack([inputs.low, inputs.high]), "output": np.stack([output.low, output.high])}


def train(
    network: Network,
    learning: tuple[Singles, Singles],
    stopping: tuple[Singles, Singles],
    *,
    settings: NetworkForecaster,
    progress: Progress,
) -> Losses:
    """Run epochs over shuffled batches until the loss on `stopping` has not improved for `patience` of them.

    After each epoch the output's bias is set to its least-squares value on `learning`. The last batches leave it a
    little off, and among returns that are hardly predictable that little would decide which epoch is the best.

    The network is left with the weights of its best epoch.

    Args:
        network: with fresh weights; changed in place.
        learning: scaled windows (n, window, inputs) and labels (n,) to learn from.
        stopping: later ones, never learned from.
        settings: epochs, patience, batch size and seed.
        progress: told both losses (mean squared error on the scale of the network) every few epochs.

    Returns:
        Both losses of every epoch.
    """
    x, y = learning
    shuffle = np.random.default_rng(settings.seed)
    best_loss, best_epoch, best_weights = np.inf, 0, network.snapshot()
    losses: list[tuple[float, float]] = []
    for epoch in range(1, settings.max_epochs + 1):
        order = shuffle.permutation(len(x))
        batches = [order[start : start + settings.batch_size] for start in range(0, len(x), settings.batch_size)]
        loss = network.train_epoch(x, y, batches)
        network.shift_output(float(np.mean(y - network.predict(x))))
        stopping_loss = float(np.mean((network.predict(stopping[0]) - stopping[1]) ** 2))
        losses.append((loss, stopping_loss))
        if epoch == 1 or epoch % _REPORT_EVERY == 0:
            progress(f"epoch {epoch}/{settings.max_epochs} train {loss:.4f} validation {stopping_loss:.4f}")
        if stopping_loss < best_loss:
            best_loss, best_epoch, best_weights = stopping_loss, epoch, network.snapshot()
        elif epoch - best_epoch >= settings.patience:
            break
    network.restore(best_weights)
    progress(f"stopped after epoch {epoch}, weights of epoch {best_epoch}, validation {best_loss:.4f}")
    train_losses, stopping_losses = zip(*losses, strict=True)
    return Losses(train_losses, stopping_losses)
