"""How fast the networks train: `Forecaster.fit` against a bare loop of the same network, in one process.

The bare loops are what one would write first: PyTorch's `nn.LSTM` stepped over tensors, and Keras' own `fit`. Ratios
above 1 mean that `fit`, which also cuts windows, scales, watches the last tenth and keeps the best weights, is faster.

    python -m benchmarks.training [--epochs 5]
"""

import argparse
import time
from collections.abc import Callable
from functools import partial

import numpy as np
import pandas as pd

from stock_assets.forecasting.models._network import NetworkForecaster
from stock_assets.forecasting.models._windows import split_for_stopping
from stock_assets.forecasting.models.lstm_keras import LstmKeras
from stock_assets.forecasting.models.lstm_pytorch import LstmPytorch

N_SESSIONS = 1009  # gives 950 windows, of which 854 are learned from
BATCH = 32


def main() -> None:
    epochs = _parse_arguments()
    history = _random_walk(N_SESSIONS)
    learning, _ = split_for_stopping(N_SESSIONS - 59)
    rng = np.random.default_rng(0)
    x = rng.random((learning.stop, 60, 6), np.float32)
    y = rng.random(learning.stop, np.float32)
    print(f"{learning.stop} windows × 60 sessions × 6 inputs, batches of {BATCH}, {epochs} epochs, one thread")
    print(f"{'network':<14}{'fit, samples/s':>16}{'bare loop':>12}{'fit / bare':>12}")
    cases: list[tuple[NetworkForecaster, Callable[[int], object]]] = [
        (LstmPytorch(max_epochs=epochs, patience=epochs), _bare_pytorch(x, y)),
        (LstmKeras(max_epochs=epochs, patience=epochs), _bare_keras(x, y)),
    ]
    for forecaster, bare in cases:
        forecaster.fit(history.head(200))  # the first fit in a process pays for imports and tracing
        bare(1)
        ours = len(x) * epochs / _seconds(partial(forecaster.fit, history))
        theirs = len(x) * epochs / _seconds(partial(bare, epochs))
        print(f"{forecaster.name:<14}{ours:>16,.0f}{theirs:>12,.0f}{ours / theirs:>12.2f}")


def _bare_pytorch(x: np.ndarray, y: np.ndarray) -> Callable[[int], object]:
    import torch
    from torch import nn

    torch.set_num_threads(1)
    torch.manual_seed(0)
    lstm_1, lstm_2 = nn.LSTM(6, 64, batch_first=True), nn.LSTM(64, 32, batch_first=True)
    drop, head = nn.Dropout(0.2), nn.Sequential(nn.Linear(32, 16), nn.ReLU(), nn.Linear(16, 1))
    optimizer = torch.optim.Adam([p for part in (lstm_1, lstm_2, head) for p in part.parameters()], lr=1e-3)
    windows, labels = torch.from_numpy(x), torch.from_numpy(y)

    def loop(epochs: int) -> None:
        for _ in range(epochs):
            for rows in torch.split(torch.randperm(len(windows)), BATCH):
                optimizer.zero_grad()
                sequence = lstm_2(drop(lstm_1(windows[rows])[0]))[0]
                loss = nn.functional.mse_loss(head(drop(sequence[:, -1]))[:, 0], labels[rows])
                torch.autograd.backward(loss)
                optimizer.step()

    return loop


def _bare_keras(x: np.ndarray, y: np.ndarray) -> Callable[[int], object]:
    from stock_assets.forecasting.models._tensorflow import start_keras

    start_keras()
    from keras import Input, Sequential, layers

    model = Sequential(
        [
            Input((60, 6)),
            layers.LSTM(64, return_sequences=True),
            layers.Dropout(0.2),
            layers.LSTM(32),
            layers.Dropout(0.2),
            layers.Dense(16, activation="relu"),
            layers.Dense(1),
        ]
    )
    model.compile("adam", "mse", jit_compile=False)
    return lambda epochs: model.fit(x, y, batch_size=BATCH, epochs=epochs, verbose=0)


def _random_walk(n: int) -> pd.DataFrame:
    """History of a plain random walk, as far as the networks read it."""
    rng = np.random.default_rng(1)
    log_return = 0.02 * rng.standard_normal(n + 1)
    close = 100 * np.exp(np.cumsum(log_return[:-1]))
    bars = dict.fromkeys(("open", "high", "low", "close", "adj_close"), close)
    return pd.DataFrame(bars).assign(volume=1e6 * rng.random(n), target_log_return=log_return[1:])


def _seconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


def _parse_arguments() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--epochs", type=int, default=5)
    return int(parser.parse_args().epochs)


if __name__ == "__main__":
    main()
