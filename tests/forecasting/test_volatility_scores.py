import numpy as np
import pandas as pd
import pytest

from stock_assets.forecasting.errors import TooFewRows
from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.volatility import forecast_volatility, session_variance
from stock_assets.forecasting.volatility_methods import METHODS, WARM_UP, as_markdown, score_volatility
from storage.contracts import conform
from storage.tables import VOLATILITY
from tests.synthetic import garch_bars, random_walk_bars

NO_FEATURES = pd.DataFrame({"session": pd.to_datetime([])})
USED = "multi_ewma_garman_klass"


def history_of(bars):
    return build_history(bars, NO_FEATURES)


@pytest.fixture(scope="module")
def history():
    return history_of(garch_bars("GARCH", 900, seed=4, alpha=0.1, beta=0.88))


@pytest.fixture(scope="module")
def scores(history):
    return score_volatility(history, ticker="GARCH")


def test_a_row_per_method_fits_the_contract(scores):
    assert set(scores["method"]) == set(METHODS)
    assert scores["method"][scores["is_used"]].tolist() == [USED]
    assert tuple(scores.columns) == VOLATILITY.column_names
    conform(VOLATILITY, scores, {"ticker": "GARCH"})


def test_losses_and_bias_agree_with_a_plain_loop(scores, history):
    row = scores.set_index("method").loc[USED]
    forecasts, variances, returns = forecast_volatility(history), session_variance(history), history["log_return"]
    losses, constants, ratios = [], [], []
    for t in range(WARM_UP, len(history) - 1):
        earlier = np.array(returns[1 : t + 1])
        spread = ((earlier - earlier.mean()) ** 2).mean()
        losses.append(np.log(forecasts[t] ** 2) + variances[t + 1] / forecasts[t] ** 2)
        constants.append(np.log(spread) + variances[t + 1] / spread)
        ratios.append(returns[t + 1] ** 2 / forecasts[t] ** 2)
    assert row["n"] == len(losses)
    assert row["qlike"] == pytest.approx(np.mean(losses))
    assert row["qlike_constant"] == pytest.approx(np.mean(constants))
    assert row["bias"] == pytest.approx(np.mean(ratios) - 1)


def test_the_newest_forecast_is_the_one_of_the_last_close(scores, history):
    row = scores.set_index("method").loc[USED]
    assert row["forecast"] == forecast_volatility(history)[-1]
    assert row["as_of_session"] == history["session"].iloc[-1]
    assert row["first_session"] == history["session"].iloc[WARM_UP + 1]
    assert row["last_session"] == history["session"].iloc[-1]


def test_the_p_value_is_that_of_a_mean_with_a_month_of_autocovariances(scores, history):
    """By plain sums; Harvey, Leybourne and Newbold's factor as in their paper."""
    from scipy.stats import t as student

    volatility, variances = forecast_volatility(history), session_variance(history)
    earlier = history["log_return"].expanding().var(ddof=0)
    asked = np.arange(WARM_UP, len(history) - 1)

    def losses(sd2):
        return np.log(sd2[asked]) + variances.to_numpy()[asked + 1] / sd2[asked]

    gain = losses(earlier.to_numpy()) - losses(volatility**2)
    n, h, centred = len(gain), 22, gain - gain.mean()
    covariances = [sum(centred[lag:] * centred[: n - lag]) / n for lag in range(h)]
    spread = covariances[0] + 2 * sum(covariances[1:])
    assert spread > 0
    factor = (n + 1 - 2 * h + h * (h - 1) / n) / n
    expected = student.sf(gain.mean() / np.sqrt(spread / n) * np.sqrt(factor), n - 1)
    assert scores.set_index("method").loc[USED, "dm_p"] == pytest.approx(expected, rel=1e-6)


def test_where_volatility_changes_every_method_beats_the_constant():
    """A long history: over two years alone the quiet and the restless weeks are too few to tell."""
    scores = score_volatility(history_of(garch_bars("G", 4000, seed=9, alpha=0.1, beta=0.88)), ticker="G")
    assert (scores["dm_p"] < 0.05).all()
    assert (scores["qlike"] < scores["qlike_constant"]).all()


def test_where_volatility_is_constant_no_method_of_returns_beats_the_constant():
    scores = score_volatility(history_of(random_walk_bars("W", 1500, seed=3)), ticker="W").set_index("method")
    assert scores.loc["ewma", "qlike"] > scores.loc["ewma", "qlike_constant"]
    assert scores.loc["ewma", "dm_p"] > 0.5


def test_too_short_a_history_is_refused_with_both_numbers(history):
    with pytest.raises(TooFewRows, match=f"SHORT has 253 sessions, and .* needs {WARM_UP + 2} — fetch"):
        score_volatility(history.head(WARM_UP + 1).assign(target_log_return=np.nan), ticker="SHORT")


def test_one_session_is_enough_to_score_and_too_few_to_test(history):
    few = history.head(WARM_UP + 2).assign(target_log_return=lambda rows: rows["log_return"].shift(-1))
    scores = score_volatility(few, ticker="FEW")
    assert set(scores["n"]) == {1}
    assert scores["dm_p"].isna().all()


def test_the_table_for_people_starts_with_the_best(scores):
    first = as_markdown(scores).splitlines()[2]
    assert scores.sort_values("qlike")["method"].iloc[0] in first
