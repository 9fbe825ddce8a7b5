"""The benchmark of the promotion rule: its shortcut hides no promotion, and what it simulates is what it says."""

import numpy as np
import pytest

from benchmarks import reviews


def test_the_shortcut_hides_no_promotion(monkeypatch: pytest.MonkeyPatch) -> None:
    tickers = [reviews.simulate(number, 0.0) for number in range(12)]
    every = (reviews.ROWS - reviews.MIN_ROWS) // 2
    quick = [reviews.champions(ticker, every=every) for ticker in tickers]
    monkeypatch.setattr(reviews, "_may_pass", lambda _: np.ones(reviews.ROWS, dtype=bool))
    assert [reviews.champions(ticker, every=every) for ticker in tickers] == quick


def test_a_model_that_knows_the_truth_is_found_and_kept() -> None:
    path = reviews.champions(reviews.simulate(1, 0.1), every=6 * reviews.MONTH)
    assert path == [(reviews.REAL, 0)] * 5
    ended = reviews.champions(reviews.simulate(1, 0.1), every=6 * reviews.MONTH, until_promotion=True)
    assert ended == path[:1]


def test_a_worthless_forecast_has_nothing_to_do_with_the_returns() -> None:
    ticker = reviews.simulate(2, 0.0)
    said = np.array(list(ticker.predicted.values()))
    correlation = np.corrcoef(np.vstack([ticker.actual, said]))[0, 1:]
    assert np.abs(correlation).max() < 3.5 / np.sqrt(reviews.ROWS)
    np.testing.assert_allclose(said.std(axis=1) / ticker.actual.std(), reviews.SPREAD, rtol=0.1)
    np.testing.assert_allclose(ticker.close[1:], ticker.close[:-1] * np.exp(ticker.actual[:-1]))
