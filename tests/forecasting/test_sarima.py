import numpy as np
import pandas as pd
import pytest

from stock_assets.forecasting.errors import NotConverged
from stock_assets.forecasting.features import compute_features
from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.models.sarima import Sarima
from tests.synthetic import ar1_bars


@pytest.fixture(scope="module")
def history():
    prices = ar1_bars("AR", 1200, seed=1, r_squared=0.1)
    return build_history(prices, compute_features(prices))


@pytest.fixture(scope="module")
def fitted(history):
    return Sarima().fit(history.iloc[:1000])


def test_a_planted_autoregression_is_found(history, fitted):
    rows = slice(60, 1000)
    oracle = np.sqrt(0.1) * history["log_return"].to_numpy()[rows]
    assert np.corrcoef(fitted.predict(history)[rows], oracle)[0, 1] > 0.95


def test_predictions_are_those_of_arima_2_1_2_in_the_log_price(history, fitted):
    # The oracle is statsmodels' integrated form on log levels with the same parameters, appended row by row.
    from statsmodels.tsa.statespace.sarimax import SARIMAX

    level = np.log(history["adj_close"].to_numpy()) / fitted.scale
    integrated = SARIMAX(level[:1000], order=(2, 1, 2), trend=None).smooth(np.asarray(fitted.parameters))
    appended = integrated.append(level[1000:1003])
    expected = (appended.forecast(1)[0] - level[1002]) * fitted.scale
    assert fitted.predict(history.iloc[:1003])[-1] == pytest.approx(expected, abs=1e-6)


def test_the_reference_formulation_learns_price_changes(history):
    predicted = Sarima(target="price").fit(history.iloc[:1000]).predict(history)
    implied = history["adj_close"] * (np.exp(predicted) - 1.0)
    assert np.corrcoef(implied[60:1000], history["adj_close"].diff()[60:1000])[0, 1] > 0.9


def test_progress_tells_how_many_iterations_it_took(history):
    messages = []
    Sarima().fit(history.iloc[:1000], messages.append)
    assert messages[-1].startswith("converged after ")


def test_a_fit_that_does_not_converge_is_an_error_and_never_a_model(history):
    with pytest.raises(NotConverged, match=r"did not converge on 999 differences within 1 iterations from any of"):
        Sarima(max_iterations=1).fit(history.iloc[:1000])


def test_a_stock_that_never_moves_has_no_maximum_to_find():
    bars = pd.DataFrame({"adj_close": np.full(200, 50.0), "log_return": np.r_[np.nan, np.zeros(199)]})
    with pytest.raises(NotConverged, match=r"did not converge on 199 differences"):
        Sarima(max_iterations=20).fit(bars)
