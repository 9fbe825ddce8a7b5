"""What every file in `forecasting/models/` promises. A new model is tested by being there."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from stock_assets.forecasting.errors import TooFewRows
from stock_assets.forecasting.models import BENCHMARK, Forecaster, discover
from stock_assets.forecasting.models._network import NetworkForecaster

LEARNED = 420  # rows the models are fitted on; the rest is only predicted

each_model = pytest.mark.parametrize("model", discover().values(), ids=discover())


def tolerance(model):
    """Networks answer a row alone and in a batch with rounding differences; others do not."""
    assert model.is_exact != issubclass(model, NetworkForecaster)
    return 1e-6 if issubclass(model, NetworkForecaster) else 0.0


def assert_same(model, left, right):
    np.testing.assert_allclose(left, right, rtol=0.0, atol=tolerance(model), equal_nan=True)


@pytest.fixture(scope="module")
def learned_from(garch_history):
    return garch_history.iloc[:LEARNED].copy()


@pytest.fixture(scope="module")
def fit(learned_from):
    """Fits are shared: the same model, target and seed is fitted once for the whole suite."""
    known = {}

    def once(model, **settings):
        address = model, tuple(sorted(settings.items()))
        if address not in known:
            known[address] = model.fast(**settings).fit(learned_from)
        return known[address]

    return once


@each_model
def test_the_class_says_what_a_person_and_the_store_need(model):
    assert issubclass(model, Forecaster)
    assert model.description
    assert model.libraries
    assert model.min_rows > 0
    assert model.calibration_folds >= 2


def test_the_benchmark_comes_first_and_the_rest_in_alphabetical_order():
    names = list(discover())
    assert names[0] == BENCHMARK
    assert names[1:] == sorted(names[1:])
    assert {"sarima", "random_forest", "xgboost", "lstm_keras", "lstm_pytorch"} <= set(names)


@each_model
def test_settings_build_an_equal_forecaster(model):
    forecaster = model.fast(seed=3, target="price")
    assert model(**forecaster.settings()) == forecaster


@each_model
def test_one_number_for_each_row_and_nan_only_before_the_context_is_there(model, fit, garch_history):
    predicted = fit(model).predict(garch_history)
    assert predicted.shape == (len(garch_history),)
    assert predicted.dtype == np.float64
    # The features of the first 60 sessions are not there, nor is a network's first window before its 60th.
    assert np.isfinite(predicted[60:]).all()


@each_model
def test_the_same_seed_gives_the_same_numbers(model, fit, learned_from, garch_history):
    again = model.fast(seed=0).fit(learned_from)
    np.testing.assert_array_equal(again.predict(garch_history), fit(model).predict(garch_history))


@each_model
def test_another_session_with_the_future_cut_off_changes_nothing_before_it(model, fit, garch_history):
    fitted = fit(model)
    whole = fitted.predict(garch_history)
    for stop in (LEARNED - 40, LEARNED + 1, len(garch_history) - 1):
        assert_same(model, fitted.predict(garch_history.iloc[:stop]), whole[:stop])


@each_model
def test_a_perturbed_future_changes_nothing_before_it(model, fit, garch_history):
    stop = LEARNED + 50
    rng = np.random.default_rng(5)
    numbers = garch_history.select_dtypes("float64").columns
    perturbed = garch_history.copy()
    perturbed.loc[stop:, numbers] *= np.exp(0.1 * rng.standard_normal((len(perturbed) - stop, len(numbers))))
    # Labels of rows before `stop` would tell of the future, and no prediction may read one.
    perturbed["target_log_return"] = rng.standard_normal(len(perturbed))
    fitted = fit(model)
    assert_same(model, fitted.predict(perturbed)[:stop], fitted.predict(garch_history)[:stop])


@each_model
def test_rows_beyond_the_context_do_not_matter(model, fit, garch_history):
    if model.context is None:
        pytest.skip("this model says that it needs the whole history")
    fitted = fit(model)
    tail = garch_history.iloc[-model.context :]
    assert_same(model, fitted.predict(tail)[-1], fitted.predict(garch_history)[-1])


@each_model
@pytest.mark.parametrize("target", ["log_return", "price"])
def test_what_was_saved_loads_as_it_was(model, target, fit, garch_history, tmp_path):
    fitted = fit(model, target=target)
    fitted.save(tmp_path)
    loaded = model.load(tmp_path, fitted.forecaster.settings())
    assert loaded.forecaster == fitted.forecaster
    np.testing.assert_array_equal(loaded.predict(garch_history), fitted.predict(garch_history))


@each_model
def test_too_few_rows_are_refused_with_both_numbers(model, learned_from):
    short = learned_from.iloc[: model.min_rows - 1]
    with pytest.raises(TooFewRows, match=rf"{model.name} was given {len(short)} .* needs {model.min_rows}"):
        model.fast().fit(short)


@each_model
def test_the_fewest_rows_allowed_are_enough(model, learned_from):
    shortest = learned_from.iloc[: model.min_rows]
    predicted = model.fast().fit(shortest).predict(learned_from)
    assert np.isfinite(predicted[60:]).all()


@each_model
def test_inputs_are_left_as_they_were(model, learned_from, garch_history):
    given, asked = learned_from.copy(), garch_history.copy()
    model.fast().fit(given).predict(asked)
    pd.testing.assert_frame_equal(given, learned_from)
    pd.testing.assert_frame_equal(asked, garch_history)


@each_model
def test_the_reference_formulation_answers_in_log_returns_too(model, fit, garch_history):
    predicted = fit(model, target="price").predict(garch_history)
    assert np.isfinite(predicted[60:]).all()
    # Levels were learned, so it is a return and not a price that comes back: far below the price of about 100.
    assert np.abs(predicted[60:LEARNED]).max() < 1.0


@each_model
def test_progress_is_reported(model, learned_from):
    if model.name == BENCHMARK:
        pytest.skip("there is nothing to learn")
    messages = []
    model.fast().fit(learned_from, messages.append)
    assert messages


_IN_ANOTHER_PROCESS = """
import sys
from pathlib import Path
import numpy as np
from stock_assets.forecasting.features import compute_features
from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.models import discover
from tests.synthetic import garch_bars

prices = garch_bars("GARCH", 700, seed=7)
history = build_history(prices, compute_features(prices))
for name, model in discover().items():
    fitted = model.fast().fit(history.iloc[: int(sys.argv[1])])
    np.save(Path(sys.argv[2]) / name, fitted.predict(history), allow_pickle=False)
"""


@pytest.fixture(scope="module")
def found_elsewhere(tmp_path_factory):
    """What one other process predicts by every model, each in a file."""
    folder = tmp_path_factory.mktemp("elsewhere")
    command = [sys.executable, "-c", _IN_ANOTHER_PROCESS, str(LEARNED), str(folder)]
    subprocess.run(command, cwd=Path(__file__).parents[2], check=True, capture_output=True)
    return folder


@pytest.mark.slow
@each_model
def test_another_process_finds_the_same_numbers(model, fit, garch_history, found_elsewhere):
    predicted = np.load(found_elsewhere / f"{model.name}.npy", allow_pickle=False)
    np.testing.assert_array_equal(predicted, fit(model).predict(garch_history))
