"""The Keras network: architecture, the fused kernel against Keras itself, determinism, no look-ahead, storage."""

import json
import os
import subprocess
import sys
import zipfile

import numpy as np
import pytest

from stock_assets.forecasting.models._tensorflow import _without_chatter, start_keras
from stock_assets.forecasting.models.lstm_keras import LstmKeras, _forward
from stock_assets.settings import InvalidSetting
from tests.synthetic import ar1_bars

N_LEARNED = 500


@pytest.fixture(scope="module")
def learned(garch_history):
    return garch_history.head(N_LEARNED)


@pytest.fixture(scope="module")
def fitted(learned):
    return LstmKeras.fast().fit(learned)


def test_the_layers_have_the_parameters_of_the_reference():
    model = LstmKeras().make_network(np.zeros(1, np.float32)).model
    assert {layer.name: layer.count_params() for layer in model.layers if layer.count_params()} == {
        # Four gates, each with an input matrix, a recurrent matrix and a bias.
        "lstm_1": 4 * (6 * 64 + 64 * 64 + 64),
        "lstm_2": 4 * (64 * 32 + 32 * 32 + 32),
        "dense": 32 * 16 + 16,
        "output": 16 + 1,
    }
    assert [layer.rate for layer in model.layers if layer.name.startswith("dropout")] == [0.2, 0.2]


def test_the_fused_kernel_gives_the_outputs_and_gradients_of_keras_own_layers():
    import tensorflow as tf

    model = LstmKeras(window=20).make_network(np.full(1, 0.4, np.float32)).model
    rng = np.random.default_rng(1)
    x, y = rng.random((9, 20, 6), np.float32), rng.random(9, np.float32)

    def loss_and_gradients(forward):
        with tf.GradientTape() as tape:
            loss = tf.reduce_mean(tf.square(forward() - y))
        return loss, *tape.gradient(loss, model.trainable_variables)

    fused = loss_and_gradients(lambda: _forward(model, x, training=False))
    plain = loss_and_gradients(lambda: model(x, training=False)[:, 0])
    assert len(fused) == 1 + 10
    for ours, theirs in zip(fused, plain, strict=True):
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-6)


def test_dropout_is_on_while_training_only():
    model = LstmKeras(window=20).make_network(np.zeros(1, np.float32)).model
    x = np.ones((4, 20, 6), np.float32)
    predicted = [_forward(model, x, training=False).numpy() for _ in range(2)]
    np.testing.assert_array_equal(*predicted)
    assert not np.array_equal(_forward(model, x, training=True), _forward(model, x, training=True))


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(garch_history, learned, fitted):
    import keras

    keras.utils.set_random_seed(99)  # what a process did before must not matter
    again = LstmKeras.fast().fit(learned)
    other = LstmKeras.fast(seed=1).fit(learned)
    np.testing.assert_array_equal(again.predict(garch_history), fitted.predict(garch_history))
    assert not np.allclose(other.predict(garch_history)[59:], fitted.predict(garch_history)[59:], rtol=1e-3)


def test_a_fit_leaves_the_random_streams_of_the_process_alone(learned):
    import random

    import tensorflow as tf

    def draws():
        return random.random(), np.random.rand(), float(tf.random.uniform(()))  # noqa: S311  # the global streams

    def seeded():
        random.seed(5)
        np.random.seed(5)
        tf.random.set_seed(5)

    seeded()
    expected = draws()
    seeded()
    LstmKeras.fast(max_epochs=1).fit(learned)
    assert draws() == expected


def test_no_prediction_looks_ahead(garch_history, fitted):
    whole = fitted.predict(garch_history)
    for end in (60, 333, 699):
        np.testing.assert_allclose(fitted.predict(garch_history.head(end)), whole[:end], atol=1e-6)
        one_window = garch_history.iloc[end - 60 : end]
        np.testing.assert_allclose(fitted.predict(one_window)[-1], whole[end - 1], atol=1e-6)


def test_shifting_the_output_shifts_every_prediction():
    network = LstmKeras.fast().make_network(np.zeros(1, np.float32))
    x = np.random.default_rng(2).random((5, 60, 6), np.float32)
    before = network.predict(x)
    network.shift_output(0.25)
    np.testing.assert_allclose(network.predict(x), before + 0.25, atol=1e-6)


def test_rows_with_fewer_than_sixty_sessions_are_not_predicted(garch_history, fitted):
    predicted = fitted.predict(garch_history)
    assert np.isnan(predicted[:59]).all()
    assert np.isfinite(predicted[59:]).all()
    assert np.isnan(fitted.predict(garch_history.head(59))).all()


def test_the_stored_model_is_plain_keras_and_predicts_the_same(tmp_path, garch_history, fitted):
    fitted.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "losses.json",
        "network.keras",
        "scalers.json",
        "weights.npz",
    ]
    config = zipfile.ZipFile(tmp_path / "network.keras").read("config.json").decode()
    assert "stock_assets" not in config  # nothing of ours is needed to read it
    loaded = LstmKeras.load(tmp_path, json.loads(json.dumps(fitted.forecaster.settings())))
    np.testing.assert_array_equal(loaded.predict(garch_history), fitted.predict(garch_history))
    assert loaded.forecaster == fitted.forecaster
    # A fit from before weights were kept as arrays has Keras' own file alone.
    (tmp_path / "weights.npz").unlink()
    older = LstmKeras.load(tmp_path, fitted.forecaster.settings())
    np.testing.assert_array_equal(older.predict(garch_history), fitted.predict(garch_history))


def test_the_arrays_say_what_keras_says(garch_history):
    network = LstmKeras(seed=4).make_network(np.zeros(1, np.float32))
    x = np.random.default_rng(2).random((700, 60, 6), np.float32) * 3 - 1  # some are far outside what is usual
    np.testing.assert_allclose(network.weights().predict(x), network.predict(x), rtol=0, atol=1e-6)


def test_a_stored_model_that_carries_code_is_refused(tmp_path, fitted):
    import keras

    fitted.save(tmp_path)
    (tmp_path / "weights.npz").unlink()  # else Keras' file is not even looked at
    hostile = keras.Sequential([keras.Input((60, 6)), keras.layers.Lambda(lambda x: x[:, 0, :1])])
    hostile.save(tmp_path / "network.keras")
    with pytest.raises(ValueError, match="unsafe"):
        LstmKeras.load(tmp_path, fitted.forecaster.settings())


def test_the_price_target_learns_levels_and_answers_in_log_returns(garch_history, learned):
    model = LstmKeras.fast(target="price").fit(learned)
    adj_close = garch_history["adj_close"]
    level = adj_close[59:] * np.exp(model.predict(garch_history)[59:])
    seen = adj_close[:N_LEARNED]
    assert level.between(0.5 * seen.min(), 2 * seen.max()).all()
    assert seen.min() <= model.output.low[0] < model.output.high[0] <= seen.max()


def test_keras_on_another_backend_is_a_clear_refusal(monkeypatch):
    import keras

    monkeypatch.setattr(keras.config, "backend", lambda: "jax")
    with pytest.raises(InvalidSetting, match="Keras runs on 'jax' in this process"):
        start_keras()


@pytest.mark.slow
def test_a_new_process_starts_quietly_on_tensorflow_with_one_thread():
    code = (
        "from stock_assets.forecasting.models._tensorflow import start_keras; start_keras()\n"
        "import keras, tensorflow as tf\n"
        "print(keras.config.backend(), tf.config.threading.get_intra_op_parallelism_threads())\n"
        "tf.zeros(1); start_keras()"
    )
    environment = {**os.environ, "KERAS_BACKEND": "torch"}
    done = subprocess.run(
        [sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120, check=True
    )
    assert done.stdout.split() == ["tensorflow", "1"]
    assert done.stderr == ""


def test_what_others_write_while_tensorflow_starts_is_not_lost(monkeypatch, capfd):
    monkeypatch.delitem(sys.modules, "tensorflow", raising=False)

    def failing_import():
        os.write(2, b"I0000 Could not find cuda drivers on your machine\nsomething else\n")
        assert capfd.readouterr().err == ""
        raise ImportError("broken install")

    with pytest.raises(ImportError, match="broken install"), _without_chatter():
        failing_import()
    assert capfd.readouterr().err == "something else\n"


@pytest.mark.slow
def test_a_strong_signal_is_learned_better_than_saying_zero():
    bars = ar1_bars("AR", 2000, seed=3, r_squared=0.5)
    log_return = np.log(bars["adj_close"]).diff()
    history = bars.assign(log_return=log_return, target_log_return=log_return.shift(-1)).iloc[:-1]
    model = LstmKeras(units_1=16, units_2=8, learning_rate=5e-3, max_epochs=40).fit(history.head(1600))
    predicted, actual = model.predict(history)[1600:], history["target_log_return"][1600:]
    assert np.mean((predicted - actual) ** 2) < 0.8 * np.mean(actual**2)
