"""The reference network in Keras: a plain `Sequential`, trained through TensorFlow's fused LSTM kernel."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from stock_assets.forecasting.models._base import Floats
from stock_assets.forecasting.models._inference import Singles, Weights
from stock_assets.forecasting.models._network import NetworkForecaster
from stock_assets.forecasting.models._tensorflow import start_keras
from stock_assets.forecasting.models._windows import INPUTS

_MODEL_FILE = "network.keras"
_PREDICT_ROWS = 1024  # windows at once; bounds memory, changes no number


@dataclass(frozen=True, kw_only=True)
class LstmKeras(NetworkForecaster):
    """Two LSTM layers on 60 sessions of bars, in Keras."""

    name: ClassVar[str] = "lstm_keras"
    description: ClassVar[str] = "LSTM network (64 and 32 units) on 60 sessions of bars, in Keras"
    libraries: ClassVar[tuple[str, ...]] = ("keras", "tensorflow", "numpy")

    def make_network(self, y: Singles) -> "_KerasNetwork":
        """See `NetworkForecaster.make_network`."""
        start_keras()
        return _KerasNetwork(_build_model(self, output_bias=float(y.mean())), self.learning_rate)

    def load_network(self, folder: Path) -> "_KerasNetwork":
        """See `NetworkForecaster.load_network`."""
        start_keras()
        import keras

        model = keras.saving.load_model(folder / _MODEL_FILE, compile=False, safe_mode=True)
        return _KerasNetwork(model, self.learning_rate)


class _KerasNetwork:
    """A Keras model and its optimiser."""

    def __init__(self, model: Any, learning_rate: float) -> None:
        self.model = model
        self._learning_rate = learning_rate
        self._step: Callable[[Singles, Singles], Any] | None = None

    def train_epoch(self, x: Singles, y: Singles, batches: list[NDArray[np.int64]]) -> float:
        """See `Network.train_epoch`."""
        if self._step is None:
            self._step = _training_step(self.model, self._learning_rate)
        return sum(float(self._step(x[batch], y[batch])) * len(batch) for batch in batches) / len(x)

    def predict(self, x: Singles) -> Floats:
        """See `Network.predict`."""
        parts = [
            _forward(self.model, x[start : start + _PREDICT_ROWS], training=False).numpy()
            for start in range(0, len(x), _PREDICT_ROWS)
        ]
        return np.concatenate(parts).astype(np.float64)

    def shift_output(self, amount: float) -> None:
        """See `Network.shift_output`."""
        self.model.layers[-1].bias.assign_add([amount])

    def snapshot(self) -> list[Singles]:
        """See `Network.snapshot`."""
        weights: list[Singles] = self.model.get_weights()
        return weights

    def restore(self, weights: list[Singles]) -> None:
        """See `Network.restore`."""
        self.model.set_weights(weights)

    def weights(self) -> Weights:
        """See `Network.weights`; Keras has the gates in the same order."""
        return Weights(*(np.asarray(weight, np.float32) for weight in self.model.get_weights()))

    def save(self, folder: Path) -> None:
        """See `Network.save`."""
        self.model.save(folder / _MODEL_FILE)


def _build_model(settings: LstmKeras, output_bias: float) -> Any:
    """The layers of the reference with Keras' own initialisation, each with a random stream of its own."""
    from keras import Input, Sequential, initializers, layers

    states = np.random.SeedSequence(settings.seed).generate_state(10) >> 1  # Keras wants signed 32-bit numbers
    seeds = iter(states.tolist())

    def lstm(name: str, units: int, *, sequences: bool) -> Any:
        return layers.LSTM(
            units,
            return_sequences=sequences,
            kernel_initializer=initializers.GlorotUniform(seed=next(seeds)),
            recurrent_initializer=initializers.Orthogonal(seed=next(seeds)),
            seed=next(seeds),
            name=name,
        )

    def dense(name: str, units: int, **more: Any) -> Any:
        return layers.Dense(units, kernel_initializer=initializers.GlorotUniform(seed=next(seeds)), name=name, **more)

    return Sequential(
        [
            Input((settings.window, len(INPUTS)), name="bars"),
            lstm("lstm_1", settings.units_1, sequences=True),
            layers.Dropout(settings.dropout, seed=next(seeds), name="dropout_1"),
            lstm("lstm_2", settings.units_2, sequences=False),
            layers.Dropout(settings.dropout, seed=next(seeds), name="dropout_2"),
            dense("dense", settings.dense, activation="relu"),
            dense("output", 1, bias_initializer=initializers.Constant(output_bias)),
        ],
        name="lstm_keras",
    )


def _training_step(model: Any, learning_rate: float) -> Callable[[Singles, Singles], Any]:
    import keras
    import tensorflow as tf

    optimizer = keras.optimizers.Adam(learning_rate)
    optimizer.build(model.trainable_variables)
    window, columns = model.input_shape[1:]

    signature = [tf.TensorSpec((None, window, columns)), tf.TensorSpec((None,))]

    @tf.function(input_signature=signature, autograph=False, jit_compile=False)  # type: ignore[untyped-decorator]
    def step(x: Any, y: Any) -> Any:
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(_forward(model, x, training=True) - y))
        gradients = tape.gradient(loss, model.trainable_variables)
        optimizer.apply_gradients(zip(gradients, model.trainable_variables, strict=True))
        return loss

    return step  # type: ignore[no-any-return]


def _forward(model: Any, x: Any, *, training: bool) -> Any:
    """What `model(x, training=training)[:, 0]` gives, with the LSTM layers through the fused kernel."""
    import tensorflow as tf

    lstm_1, dropout_1, lstm_2, dropout_2, dense, output = model.layers
    sequence = dropout_1(_fused_lstm(lstm_1.cell, tf.transpose(x, (1, 0, 2))), training=training)
    last = dropout_2(_fused_lstm(lstm_2.cell, sequence)[-1], training=training)
    return output(dense(last))[:, 0]


def _fused_lstm(cell: Any, steps: Any) -> Any:
    """Outputs of a Keras LSTM cell for steps of shape (time, batch, inputs), as (time, batch, units).

    TensorFlow's `BlockLSTM` takes one matrix for inputs and state, and its gates in the order input, candidate, forget,
    output. (`BlockLSTMV2` has Keras' order, but TensorFlow 2.21 differentiates it as if it had the other one.)
    """
    import tensorflow as tf

    n_steps, n_rows = tf.shape(steps)[0], tf.shape(steps)[1]
    state, no_peephole = tf.zeros((n_rows, cell.units)), tf.zeros((cell.units,))
    return tf.raw_ops.BlockLSTM(
        seq_len_max=tf.cast(n_steps, tf.int64),
        x=steps,
        cs_prev=state,
        h_prev=state,
        w=_reorder_gates(tf.concat([cell.kernel, cell.recurrent_kernel], axis=0)),
        b=_reorder_gates(tf.convert_to_tensor(cell.bias)),
        wci=no_peephole,
        wcf=no_peephole,
        wco=no_peephole,
        forget_bias=0.0,  # Keras keeps it in its bias vector
        cell_clip=-1.0,  # none
        use_peephole=False,
    ).h


def _reorder_gates(weights: Any) -> Any:
    import tensorflow as tf

    gate_in, forget, candidate, gate_out = tf.split(weights, 4, axis=-1)
    return tf.concat([gate_in, candidate, forget, gate_out], axis=-1)
