"""The training loop that both networks share, on a network whose losses are known beforehand."""

import numpy as np
import pytest

from stock_assets.forecasting.models._network import train
from stock_assets.forecasting.models.lstm_pytorch import LstmPytorch


class ScriptedNetwork:
    """Its one weight is the number of epochs seen; its output after epoch k is `outputs[k - 1]` everywhere."""

    def __init__(self, outputs):
        self.outputs = outputs
        self.epoch = 0
        self.orders = []
        self.shifts = []

    def train_epoch(self, x, y, batches):
        self.epoch += 1
        self.orders.append([row for batch in batches for row in batch])
        self.largest_batch = max(map(len, batches))
        return 0.5

    def predict(self, x):
        return np.full(len(x), self.outputs[self.epoch - 1])

    def shift_output(self, amount):
        self.shifts.append(amount)

    def snapshot(self):
        return self.epoch

    def restore(self, weights):
        self.epoch = weights


def run(outputs, *, progress=lambda _: None, **settings):
    network = ScriptedNetwork(outputs)
    rows = np.zeros((70, 60, 6), np.float32), np.zeros(70, np.float32)
    later = np.zeros((7, 60, 6), np.float32), np.zeros(7, np.float32)
    train(network, rows, later, settings=LstmPytorch(max_epochs=len(outputs), **settings), progress=progress)
    return network


def test_training_stops_when_patience_is_used_up_and_the_best_weights_come_back():
    network = run([0.5, 0.2, 0.3, 0.4, 0.25, 0.1], patience=3)
    assert len(network.orders) == 5  # the better epoch 6 is never reached
    assert network.epoch == 2


def test_all_epochs_run_while_the_loss_improves():
    network = run([0.5, 0.4, 0.3, 0.2], patience=1)
    assert len(network.orders) == 4
    assert network.epoch == 4


def test_every_epoch_sees_each_window_once_in_a_new_order_that_only_the_seed_decides():
    first, again, other = (run([0.5, 0.4], seed=seed) for seed in (1, 1, 2))
    assert sorted(first.orders[0]) == list(range(70))
    assert first.orders[0] != first.orders[1]
    assert first.orders == again.orders
    assert first.orders != other.orders
    assert first.largest_batch == 32


def test_after_each_epoch_the_output_is_centred_on_the_labels_learned_from():
    network = run([0.5, 0.4])  # outputs, where every label is zero
    assert network.shifts == pytest.approx([-0.5, -0.4])


def test_progress_shows_both_losses_every_few_epochs_and_where_it_stopped():
    lines = []
    run([0.5, 0.4, 0.3, 0.2, 0.1, 0.2], progress=lines.append, patience=9)
    assert lines == [
        "epoch 1/6 train 0.5000 validation 0.2500",
        "epoch 5/6 train 0.5000 validation 0.0100",
        "stopped after epoch 6, weights of epoch 5, validation 0.0100",
    ]


@pytest.mark.parametrize("losses", [[float("nan")], [0.5, float("nan")]])
def test_a_loss_that_is_not_a_number_is_never_the_best(losses):
    network = run(losses, patience=5)
    assert network.epoch == len(losses) - 1


def test_training_returns_both_losses_of_every_epoch():
    network = ScriptedNetwork([0.5, 0.2, 0.3])
    rows = np.zeros((70, 60, 6), np.float32), np.zeros(70, np.float32)
    later = np.zeros((7, 60, 6), np.float32), np.zeros(7, np.float32)
    losses = train(network, rows, later, settings=LstmPytorch(max_epochs=3), progress=lambda _: None)
    assert losses.train == (0.5, 0.5, 0.5)
    assert losses.validation == pytest.approx((0.25, 0.04, 0.09))
