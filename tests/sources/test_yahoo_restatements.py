"""From Yahoo's answers to prices: a history that Yahoo rewrites never makes up a return, and nothing stored is lost."""

import random
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from stock_assets.forecasting.prices import build_prices, check_prices, reconcile
from stock_assets.sources.base import SourceError
from stock_assets.sources.yahoo import Backoff, YahooSource
from tests.sources.known_bars import bars_known_on
from tests.sources.yahoo_server import HTML, NOT_FOUND, SERVER_ERROR, TOO_MANY, YahooServer, chart, serving

FIRST_DAY, SECOND_DAY = datetime(2023, 6, 30, 22, tzinfo=UTC), datetime(2023, 7, 14, 22, tzinfo=UTC)
START = date(2023, 1, 3)
NOTHING = pd.DataFrame({"source": pd.Series([], dtype="object")})


@pytest.fixture
def server() -> Iterator[YahooServer]:
    with serving() as running:
        yield running


def fetch_and_store(
    server: YahooServer, stored: pd.DataFrame, now: datetime, cache_dir: Path
) -> tuple[pd.DataFrame, Any]:
    source = YahooSource(
        base_url=server.url,
        cache_dir=cache_dir,
        timeout=5.0,
        backoff=Backoff(attempts=2),
        sleep=lambda seconds: None,
        rng=random.Random(0),  # noqa: S311  (jitter of waits that nobody sleeps)
    )
    bars = source.fetch("AAPL", START, now.date(), now=now)
    news = reconcile(stored, bars.frame, ticker="AAPL", source="yahoo", fetched_at=now)
    return (pd.concat([stored, news.rows], ignore_index=True) if len(stored) else news.rows), news


def returns(bars: pd.DataFrame) -> np.ndarray:
    return np.log(bars["adj_close"]).diff().dropna().to_numpy()


@pytest.mark.parametrize(
    "actions",
    [
        {"dividends": {date(2023, 7, 7): 0.24}},
        {"splits": {date(2023, 7, 10): 4.0}},
        {"dividends": {date(2023, 7, 7): 0.24, date(2023, 2, 10): 0.24}},
        {"dividends": {date(2023, 7, 7): 1.0}, "splits": {date(2023, 7, 10): 0.1}},
    ],
    ids=["dividend", "split", "late dividend", "reverse split"],
)
def test_history_restated_long_before_the_newest_bars_makes_no_return_up(
    server: YahooServer, actions: dict[str, dict[date, float]], tmp_path: Path
) -> None:
    """The action is after the first fetch; what it changes reaches back to the first session."""
    before, after = bars_known_on(FIRST_DAY.date()), bars_known_on(SECOND_DAY.date(), **actions)
    server.answers[:] = [chart(before), chart(after)]

    stored, _ = fetch_and_store(server, NOTHING, FIRST_DAY, tmp_path)
    both, news = fetch_and_store(server, stored, SECOND_DAY, tmp_path)
    prices = build_prices(both, calendar="XNYS")

    assert news.n_restated > 0
    np.testing.assert_allclose(returns(prices), returns(after), rtol=1e-9, atol=1e-12)
    assert check_prices(prices, "XNYS") == []
    # Stored rows are intact, and the earlier vintage can still be read.
    pd.testing.assert_frame_equal(both.head(len(stored)), stored)
    np.testing.assert_allclose(returns(build_prices(stored, calendar="XNYS")), returns(before), rtol=1e-9, atol=1e-12)


def test_nan_rows_never_replace_good_bars(server: YahooServer, tmp_path: Path) -> None:
    """Completed sessions can be NaN for days, and then come back."""
    before, after = bars_known_on(FIRST_DAY.date()), bars_known_on(SECOND_DAY.date())
    gaps = after.copy()
    gaps.loc[[50, len(before) - 1, len(after) - 1], ["open", "high", "low", "close", "adj_close", "volume"]] = np.nan
    server.answers[:] = [chart(before), chart(gaps), chart(after)]

    stored, _ = fetch_and_store(server, NOTHING, FIRST_DAY, tmp_path)
    stored, _ = fetch_and_store(server, stored, SECOND_DAY, tmp_path)
    in_between = build_prices(stored, calendar="XNYS")
    stored, news = fetch_and_store(server, stored, SECOND_DAY.replace(day=17), tmp_path)

    assert in_between["session"].tolist() == after["session"].tolist()[:-1]
    np.testing.assert_allclose(returns(in_between), returns(after.iloc[:-1]), rtol=1e-9, atol=1e-12)
    assert (news.n_new, news.n_restated) == (1, 0)
    np.testing.assert_allclose(returns(build_prices(stored, calendar="XNYS")), returns(after), rtol=1e-9, atol=1e-12)


def test_the_partial_bar_of_a_day_never_becomes_history(server: YahooServer, tmp_path: Path) -> None:
    """The bar seen at noon is not the bar of the day; stored, it would be a restatement the day after."""
    noon = SECOND_DAY.replace(hour=16)
    final = bars_known_on(SECOND_DAY.date())
    partial = final.copy()
    partial.loc[len(final) - 1, ["high", "close", "adj_close"]] *= 0.999
    server.answers[:] = [chart(partial, last_trade=noon), chart(final)]

    stored, _ = fetch_and_store(server, NOTHING, noon, tmp_path)
    stored, news = fetch_and_store(server, stored, SECOND_DAY, tmp_path)

    assert (news.n_new, news.n_restated) == (1, 0)
    np.testing.assert_allclose(build_prices(stored, calendar="XNYS")["close"], final["close"], rtol=1e-12)


@pytest.mark.parametrize("fault", [TOO_MANY, HTML, NOT_FOUND, SERVER_ERROR], ids=["429", "html", "404", "500"])
def test_a_failed_fetch_leaves_what_was_stored(server: YahooServer, fault: Any, tmp_path: Path) -> None:
    server.answers[:] = [chart(bars_known_on(FIRST_DAY.date())), fault]
    stored, _ = fetch_and_store(server, NOTHING, FIRST_DAY, tmp_path)
    kept = stored.copy()

    with pytest.raises(SourceError, match="AAPL"):
        fetch_and_store(server, stored, SECOND_DAY, tmp_path)
    pd.testing.assert_frame_equal(stored, kept)
