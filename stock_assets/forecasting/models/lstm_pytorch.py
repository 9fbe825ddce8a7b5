"""The reference network in PyTorch: `torch.nn.LSTM`, whose fused CPU kernel is the fastest of the ways tried."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

import numpy as np
from numpy.typing import NDArray

from stock_assets.forecasting.models._base import Floats
from stock_assets.forecasting.models._inference import Singles, Weights
from stock_assets.forecasting.models._network import NetworkForecaster
from stock_assets.forecasting.models._windows import INPUTS

if TYPE_CHECKING:
    import torch

_WEIGHTS_FILE = "weights.pt"
_PREDICT_ROWS = 1024  # windows at once; bounds memory, changes no number


@dataclass(frozen=True, kw_only=True)
class LstmPytorch(NetworkForecaster):
    """Two LSTM layers on 60 sessions of bars, in PyTorch."""

    name: ClassVar[str] = "lstm_pytorch"
    description: ClassVar[str] = "LSTM network (64 and 32 units) on 60 sessions of bars, in PyTorch"
    libraries: ClassVar[tuple[str, ...]] = ("torch", "numpy")

    def make_network(self, y: Singles) -> "_TorchNetwork":
        """See `NetworkForecaster.make_network`."""
        return _TorchNetwork.fresh(self, output_bias=float(y.mean()))

    def load_network(self, folder: Path) -> "_TorchNetwork":
        """See `NetworkForecaster.load_network`."""
        import torch

        network = _TorchNetwork.fresh(self, output_bias=0.0)
        network.restore(torch.load(folder / _WEIGHTS_FILE, map_location="cpu", weights_only=True))
        return network


class _TorchNetwork:
    """Layers, optimiser and a random stream of their own: PyTorch's global one is as it was after each call."""

    def __init__(self, layers: "torch.nn.ModuleDict", settings: LstmPytorch, noise: "torch.Generator") -> None:
        import torch

        self.layers = layers
        self._dropout = settings.dropout
        self._noise = noise
        self._optimizer = torch.optim.Adam(layers.parameters(), lr=settings.learning_rate)

    @classmethod
    def fresh(cls, settings: LstmPytorch, output_bias: float) -> Self:
        """Weights as PyTorch initialises them, drawn from the seed, but for the bias of the output."""
        import torch
        from torch import nn

        noise = torch.Generator().manual_seed(settings.seed)
        with _drawing_from(noise):
            lstm_1 = nn.LSTM(len(INPUTS), settings.units_1, batch_first=True)
            lstm_2 = nn.LSTM(settings.units_1, settings.units_2, batch_first=True)
            dense = nn.Linear(settings.units_2, settings.dense)
            output = nn.Linear(settings.dense, 1)
        nn.init.constant_(output.bias, output_bias)
        layers = nn.ModuleDict({"lstm_1": lstm_1, "lstm_2": lstm_2, "dense": dense, "output": output})
        return cls(layers, settings, noise)

    def _forward(self, x: "torch.Tensor", *, training: bool) -> "torch.Tensor":
        from torch.nn.functional import dropout

        sequence, _ = self.layers["lstm_1"](x)
        sequence, _ = self.layers["lstm_2"](dropout(sequence, self._dropout, training))
        last = dropout(sequence[:, -1], self._dropout, training)
        output: torch.Tensor = self.layers["output"](self.layers["dense"](last).relu())
        return output[:, 0]

    def train_epoch(self, x: Singles, y: Singles, batches: list[NDArray[np.int64]]) -> float:
        """See `Network.train_epoch`."""
        import torch

        windows, labels = torch.from_numpy(x), torch.from_numpy(y)
        total = 0.0
        with _one_thread(), _drawing_from(self._noise):
            for batch in batches:
                rows = torch.from_numpy(batch)
                self._optimizer.zero_grad()
                loss = torch.nn.functional.mse_loss(self._forward(windows[rows], training=True), labels[rows])
                torch.autograd.backward(loss)
                self._optimizer.step()
                total += loss.item() * len(batch)
        return total / len(x)

    def predict(self, x: Singles) -> Floats:
        """See `Network.predict`."""
        import torch

        with _one_thread(), torch.inference_mode():
            parts = [
                self._forward(torch.from_numpy(x[start : start + _PREDICT_ROWS]), training=False).numpy()
                for start in range(0, len(x), _PREDICT_ROWS)
            ]
        return np.concatenate(parts).astype(np.float64)

    def shift_output(self, amount: float) -> None:
        """See `Network.shift_output`."""
        import torch

        with torch.no_grad():
            self.layers.get_parameter("output.bias").add_(amount)

    def snapshot(self) -> dict[str, "torch.Tensor"]:
        """See `Network.snapshot`."""
        return {name: weight.clone() for name, weight in self.layers.state_dict().items()}

    def restore(self, weights: dict[str, "torch.Tensor"]) -> None:
        """See `Network.restore`."""
        self.layers.load_state_dict(weights)

    def weights(self) -> Weights:
        """See `Network.weights`; PyTorch has the gates in the same order, and two biases that are added."""
        of = {name: weight.detach().numpy().copy() for name, weight in self.layers.state_dict().items()}
        biases = [of[f"{name}.bias_ih_l0"] + of[f"{name}.bias_hh_l0"] for name in ("lstm_1", "lstm_2")]
        return Weights(
            kernel_1=of["lstm_1.weight_ih_l0"].T,
            recurrent_1=of["lstm_1.weight_hh_l0"].T,
            bias_1=biases[0],
            kernel_2=of["lstm_2.weight_ih_l0"].T,
            recurrent_2=of["lstm_2.weight_hh_l0"].T,
            bias_2=biases[1],
            dense=of["dense.weight"].T,
            dense_bias=of["dense.bias"],
            output=of["output.weight"].T,
            output_bias=of["output.bias"],
        )

    def save(self, folder: Path) -> None:
        """See `Network.save`."""
        import torch

        torch.save(self.layers.state_dict(), folder / _WEIGHTS_FILE)


@contextmanager
def _one_thread() -> Iterator[None]:
    """On these sizes a second thread gains nothing, and it would take the core of a model that trains beside."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def _drawing_from(noise: "torch.Generator") -> Iterator[None]:
    """Let what only knows the global random stream (initialisation, dropout) draw from `noise`."""
    import torch

    with torch.random.fork_rng(devices=[]):
        torch.set_rng_state(noise.get_state())
        try:
            yield
        finally:
            noise.set_state(torch.get_rng_state())
