"""The controls in small: an honest pipeline passes, a planted leak breaks them, a planted signal is found."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from benchmarks.controls.cases import CONTROLS, Case, sample_windows
from benchmarks.controls.document import document
from benchmarks.controls.least_squares import LeastSquares, permuted, shuffle_labels
from benchmarks.controls.measure import measure, measure_with
from benchmarks.controls.rates import Rate, rates
from stock_assets.forecasting.features import FEATURES, compute_features
from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.models.xgboost import XGBoost
from tests.synthetic import ar1_garch_bars, changing_volatility_bars, garch_bars

ONLY = ("least_squares",)


@dataclass(frozen=True, kw_only=True)
class LeakyLeastSquares(LeastSquares):
    """Among its inputs is tomorrow's return, under noise three times its size."""

    def inputs(self, history):
        values, is_complete = super().inputs(history)
        tomorrow = history["target_log_return"].fillna(0.0).to_numpy()
        noise = 0.06 * np.random.default_rng(5).standard_normal(len(tomorrow))
        return np.column_stack([values, tomorrow + noise]), is_complete


@pytest.fixture(scope="module")
def history():
    prices = garch_bars("SIM", 700, seed=4)
    return build_history(prices, compute_features(prices))


def test_on_random_walks_an_honest_pipeline_stays_near_its_rates():
    found = rates([measure(Case("null", number, ONLY)) for number in range(2)])
    assert {rate.question for rate in found} == {
        "Clark–West rejects at 5 %",
        "Diebold–Mariano “better” at 5 %",
        "any model promoted",
    }
    assert not [rate for rate in found if rate.is_broken]


def test_a_leak_breaks_the_rates_and_the_audit_names_it():
    result = measure_with(Case("null", 0, ONLY), {"least_squares": LeakyLeastSquares()})
    broken = {rate.question for rate in rates([result]) if rate.is_broken}
    assert broken == {"Clark–West rejects at 5 %", "Diebold–Mariano “better” at 5 %"}
    # It stays quiet where it counts: nobody is promoted, since the proofs fail.
    assert result["champion"] == "random_walk"
    assert {"predictions_truncated", "predictions_perturbed"} <= set(result["failed_proofs"])


@pytest.mark.slow
def test_a_planted_signal_is_promoted_and_its_shuffled_twin_is_not():
    planted = [measure(Case("planted", number, ONLY)) for number in range(4)]
    assert not [rate for rate in rates(planted) if rate.is_broken]
    assert {result["champion"] for result in planted} == {"least_squares"}
    shuffled = [
        measure_with(Case("planted", number, ONLY), {"least_squares": permuted(LeastSquares)()}) for number in range(4)
    ]
    assert {result["champion"] for result in shuffled} == {"random_walk"}


@pytest.mark.slow
def test_intervals_cover_what_they_promise_while_volatility_jumps():
    found = rates([measure(Case("volatility", number, ONLY)) for number in range(6)])
    assert [(rate.low, rate.high) for rate in found] == [(0.78, 0.82), (0.93, 0.97)]
    assert not [rate for rate in found if rate.is_broken]


def test_least_squares_are_least_squares(history, tmp_path):
    from sklearn.linear_model import LinearRegression

    known = history.iloc[60:600]
    columns = [feature.name for feature in FEATURES]
    oracle = LinearRegression().fit(known[columns], known["target_log_return"])
    fitted = LeastSquares().fit(history.iloc[:600])
    np.testing.assert_allclose(fitted.predict(history)[60:], oracle.predict(history[columns].iloc[60:]), atol=1e-9)
    fitted.save(tmp_path)
    assert LeastSquares.load(tmp_path, fitted.forecaster.settings()) == fitted


def test_shuffling_moves_labels_and_nothing_else(history):
    before = history.copy()
    shuffled = shuffle_labels(history, seed=1)
    pd.testing.assert_frame_equal(history, before)
    pd.testing.assert_frame_equal(shuffled.drop(columns="target_log_return"), history.drop(columns="target_log_return"))
    ours, theirs = shuffled["target_log_return"], history["target_log_return"]
    assert np.array_equal(np.isnan(ours), np.isnan(theirs))
    np.testing.assert_array_equal(np.sort(ours.dropna()), np.sort(theirs.dropna()))
    assert abs(np.corrcoef(ours.iloc[:-1], theirs.iloc[:-1])[0, 1]) < 0.1


def test_a_permuted_model_predicts_what_the_model_learned_from_shuffled_labels(history):
    learned = history.iloc[:600]
    expected = LeastSquares().fit(shuffle_labels(learned, seed=3)).predict(history)
    np.testing.assert_array_equal(permuted(LeastSquares)(seed=3).fit(learned).predict(history), expected)


def test_a_permuted_model_holds_the_scales_of_its_shuffled_labels(history):
    learned = history.iloc[:600]
    model = permuted(XGBoost)(seed=3)
    held, expected = model.fit(learned).standardisation(), model.standardisation(learned)
    assert held.keys() == expected.keys() != set()
    assert all(np.array_equal(held[name], expected[name]) for name in held)


@pytest.mark.parametrize("control", CONTROLS)
def test_every_control_makes_five_years_of_bars_that_the_platform_takes(control):
    prices = Case(control, 2, ()).prices()
    assert len(prices) == 1256
    again = Case(control, 2, ()).prices()
    pd.testing.assert_frame_equal(prices, again)
    assert not prices["close"].equals(Case(control, 3, ()).prices()["close"])


def test_windows_of_bundled_bars_lie_inside_their_histories():
    windows = sample_windows()
    assert len(windows) == len(set(windows)) == 31


def _returns(bars: pd.DataFrame) -> np.ndarray:
    return np.diff(np.log(bars["close"].to_numpy()))


def test_the_planted_autoregression_explains_the_share_it_says():
    moves = _returns(ar1_garch_bars("SIM", 60_000, seed=1, r_squared=0.05))
    assert np.corrcoef(moves[1:], moves[:-1])[0, 1] == pytest.approx(np.sqrt(0.05), abs=0.02)
    assert moves.std() == pytest.approx(0.02, rel=0.05)


def test_without_signal_it_is_the_garch_random_walk():
    pd.testing.assert_frame_equal(ar1_garch_bars("SIM", 300, seed=1, r_squared=0.0), garch_bars("SIM", 300, seed=1))


def test_jumping_volatility_has_two_levels_and_no_direction():
    moves = pd.Series(_returns(changing_volatility_bars("SIM", 40_000, seed=1, ratio=3.0, mean_stay=1000)))
    spread = moves.rolling(100).std().dropna()
    assert spread.quantile(0.8) / spread.quantile(0.2) == pytest.approx(3.0, rel=0.25)
    assert abs(moves.autocorr()) < 0.02


def test_a_rate_holds_within_its_bounds_only_and_is_broken_far_outside():
    def rate(value: float, tickers: int, room: float = 0.0) -> Rate:
        error = np.sqrt(value * (1 - value) / tickers)
        return Rate("null", "Clark–West", "x", tickers, value, error, 0.03, 0.07, room)

    assert rate(0.05, 1000).holds
    assert not rate(0.08, 1000).holds
    assert not rate(0.08, 1000).is_broken
    assert rate(0.30, 1000).is_broken
    assert not rate(0.0, 10).is_broken
    assert rate(0.08, 100, room=2.0).holds
    assert not rate(0.08, 100, room=2.0).is_within
    assert not rate(0.20, 100, room=2.0).holds
    assert not rate(float("nan"), 10).holds
    assert rate(float("nan"), 10).is_broken


def test_a_planted_ticker_with_too_few_rows_proves_nothing():
    result = {"control": "planted", "champion": "x", "scores": {"x": {"n": 700}}}
    with pytest.raises(ValueError, match=r"700 walk-forward rows, expected at least 750"):
        rates([result])


@pytest.mark.slow
def test_the_command_says_its_verdict_and_goes_on_where_it_stopped(tmp_path: Path):
    root = Path(__file__).resolve().parents[2]
    page = tmp_path / "controls.md"
    command = [sys.executable, "-m", "benchmarks.controls", "--tickers", "1", "--controls", "null", "--jobs", "1"]
    command += ["--cache", str(tmp_path / "cache.jsonl"), "--document", str(page)]
    first = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert first.returncode == 0, first.stderr
    assert "| null | Clark–West rejects at 5 % | least_squares | 1 |" in first.stdout
    assert "no rate is far outside its bounds" in first.stderr
    assert not page.exists()  # only whole runs are written down
    second = subprocess.run(command, cwd=root, capture_output=True, text=True, check=False)
    assert "1 tickers are done already" in second.stderr
    assert second.stdout == first.stdout


def _result(control: str, number: int, champion: str, p_value: float) -> dict:
    score = {"n": 816, "clark_west_p": p_value, "dm_hln_p": 0.5, "inside_80": 0.8, "inside_95": 0.95}
    return {"control": control, "number": number, "champion": champion, "scores": {"least_squares": score}}


def test_the_document_says_what_was_run_and_which_rate_does_not_hold():
    results = [_result("null", number, "random_walk", 0.001 if number < 20 else 0.5) for number in range(100)]
    results += [_result("planted", number, "least_squares", 0.001) for number in range(100)]
    page = document(rates(results), results)
    assert "    make controls\n" in page
    assert "**1 of 4 rates do not hold.**" in page
    assert (
        "| null | Clark–West rejects at 5 % | least_squares | 100 | 20.0% | 4.0% | 3% – 7% | **DOES NOT HOLD** |"
        in page
    )
    assert "| planted | any model promoted | any | 100 | 100.0% | 0.0% | ≥ 80% | holds |" in page
    assert "1,256 sessions a ticker, of which 816 are walk-forward rows" in page
    assert "Tickers: least_squares 100." in page
