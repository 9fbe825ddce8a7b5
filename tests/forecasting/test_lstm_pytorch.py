"""The PyTorch network: architecture, determinism, no look-ahead, storage, and that it can learn."""

import json
import zipfile

import numpy as np
import pytest
import torch

from stock_assets.forecasting.models.lstm_pytorch import LstmPytorch
from tests.synthetic import ar1_bars

N_LEARNED = 500


@pytest.fixture(scope="module")
def learned(garch_history):
    return garch_history.head(N_LEARNED)


@pytest.fixture(scope="module")
def fitted(learned):
    return LstmPytorch.fast().fit(learned)


def weights(model):
    return {name: weight.numpy().copy() for name, weight in model.network.snapshot().items()}


def test_the_layers_have_the_parameters_of_the_reference(learned):
    model = LstmPytorch(max_epochs=1).fit(learned)
    counted = {"lstm_1": 0, "lstm_2": 0, "dense": 0, "output": 0}
    for name, weight in weights(model).items():
        counted[name.split(".")[0]] += weight.size
    # Four gates, each with an input matrix, a recurrent matrix and, in PyTorch, two bias vectors.
    assert counted == {
        "lstm_1": 4 * (6 * 64 + 64 * 64 + 2 * 64),
        "lstm_2": 4 * (64 * 32 + 32 * 32 + 2 * 32),
        "dense": 32 * 16 + 16,
        "output": 16 + 1,
    }


def test_the_same_seed_gives_the_same_bits_and_another_seed_others(garch_history, learned, fitted):
    again = LstmPytorch.fast().fit(learned)
    other = LstmPytorch.fast(seed=1).fit(learned)
    np.testing.assert_array_equal(again.predict(garch_history), fitted.predict(garch_history))
    assert not np.allclose(other.predict(garch_history)[59:], fitted.predict(garch_history)[59:], rtol=1e-3)


def test_a_fit_leaves_the_random_stream_and_the_threads_of_the_process_alone(learned):
    torch.set_num_threads(2)
    torch.manual_seed(5)
    expected = torch.rand(3)
    torch.manual_seed(5)
    LstmPytorch.fast(max_epochs=1).fit(learned).predict(learned)
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == 2


def test_what_comes_before_in_the_process_does_not_change_a_fit(garch_history, learned, fitted):
    torch.manual_seed(99)
    torch.rand(7)
    np.testing.assert_array_equal(LstmPytorch.fast().fit(learned).predict(garch_history), fitted.predict(garch_history))


def test_no_prediction_looks_ahead(garch_history, fitted):
    whole = fitted.predict(garch_history)
    for end in (60, 333, 699):
        np.testing.assert_allclose(fitted.predict(garch_history.head(end)), whole[:end], atol=1e-6)
        one_window = garch_history.iloc[end - 60 : end]
        np.testing.assert_allclose(fitted.predict(one_window)[-1], whole[end - 1], atol=1e-6)


def test_shifting_the_output_shifts_every_prediction():
    network = LstmPytorch.fast().make_network(np.zeros(1, np.float32))
    x = np.random.default_rng(2).random((5, 60, 6), np.float32)
    before = network.predict(x)
    network.shift_output(0.25)
    np.testing.assert_allclose(network.predict(x), before + 0.25, atol=1e-6)


def test_rows_with_fewer_than_sixty_sessions_are_not_predicted(garch_history, fitted):
    predicted = fitted.predict(garch_history)
    assert np.isnan(predicted[:59]).all()
    assert np.isfinite(predicted[59:]).all()
    assert np.isnan(fitted.predict(garch_history.head(59))).all()


def test_rows_for_stopping_change_no_scaler(learned, fitted):
    changed = learned.copy()
    last_tenth = changed.index[-(len(learned) - 59) // 10 :]
    changed.loc[last_tenth, "target_log_return"] *= 50
    changed.loc[last_tenth, "volume"] *= 1000
    model = LstmPytorch.fast().fit(changed)
    for scaler, before in ((model.inputs, fitted.inputs), (model.output, fitted.output)):
        assert scaler.to_json() == before.to_json()


def test_stored_weights_hold_no_code_and_predict_the_same(tmp_path, garch_history, fitted):
    fitted.save(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "losses.json",
        "scalers.json",
        "weights.npz",
        "weights.pt",
    ]
    pickled = zipfile.ZipFile(tmp_path / "weights.pt").read("weights/data.pkl")
    assert b"_rebuild_tensor_v2" in pickled
    assert b"stock_assets" not in pickled
    settings = json.loads(json.dumps(fitted.forecaster.settings()))
    loaded = LstmPytorch.load(tmp_path, settings)
    np.testing.assert_array_equal(loaded.predict(garch_history), fitted.predict(garch_history))
    assert loaded.forecaster == fitted.forecaster
    # A fit from before weights were kept as arrays has PyTorch's own file alone.
    (tmp_path / "weights.npz").unlink()
    older = LstmPytorch.load(tmp_path, settings)
    np.testing.assert_array_equal(older.predict(garch_history), fitted.predict(garch_history))


def test_the_arrays_say_what_pytorch_says(garch_history):
    network = LstmPytorch(seed=4).make_network(np.zeros(1, np.float32))
    x = np.random.default_rng(2).random((700, 60, 6), np.float32) * 3 - 1  # some are far outside what is usual
    np.testing.assert_allclose(network.weights().predict(x), network.predict(x), rtol=0, atol=1e-6)
    assert network.weights().predict(x[:0]).shape == (0,)


def test_the_price_target_learns_levels_and_answers_in_log_returns(garch_history, learned):
    model = LstmPytorch.fast(target="price").fit(learned)
    predicted = model.predict(garch_history)[59:]
    assert np.isfinite(predicted).all()
    next_close = garch_history["adj_close"].shift(-1)[59 : N_LEARNED - 50]
    learned_rows = garch_history["adj_close"][:N_LEARNED]
    # The labels' scaler is in prices, and starts where the labels do.
    assert learned_rows.min() <= model.output.low[0] <= next_close.min()
    level = garch_history["adj_close"][59:] * np.exp(predicted)
    assert level.between(0.5 * learned_rows.min(), 2 * learned_rows.max()).all()


def test_a_window_longer_than_the_context_is_refused():
    with pytest.raises(ValueError, match="window is 61, expected 2 … 60"):
        LstmPytorch(window=61)


@pytest.mark.slow
def test_a_strong_signal_is_learned_better_than_saying_zero():
    bars = ar1_bars("AR", 2000, seed=3, r_squared=0.5)
    log_return = np.log(bars["adj_close"]).diff()
    history = bars.assign(log_return=log_return, target_log_return=log_return.shift(-1)).iloc[:-1]
    model = LstmPytorch(units_1=16, units_2=8, learning_rate=5e-3, max_epochs=40).fit(history.head(1600))
    predicted, actual = model.predict(history)[1600:], history["target_log_return"][1600:]
    assert np.mean((predicted - actual) ** 2) < 0.8 * np.mean(actual**2)
