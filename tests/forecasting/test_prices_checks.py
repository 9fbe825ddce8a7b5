from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest

from stock_assets.forecasting.bars import PRICE_COLUMNS
from stock_assets.forecasting.findings import Finding
from stock_assets.forecasting.prices import build_prices, check_prices, reconcile
from stock_assets.sources import open_source
from tests.sources.known_bars import bars_known_on

NOW = datetime(2024, 1, 1, tzinfo=UTC)
NOTHING = pd.DataFrame({"source": pd.Series([], dtype="object")})


def as_prices(bars: pd.DataFrame) -> pd.DataFrame:
    rows = reconcile(NOTHING, bars, ticker="AAPL", source="yahoo", fetched_at=NOW).rows
    return build_prices(rows, calendar="XNYS")


def with_move(*, ratio: float, move: float) -> pd.DataFrame:
    """Calm bars, of half the usual log returns, with a recorded split and a return of `move` on its day."""
    day = pd.Timestamp("2023-04-03")
    bars = bars_known_on(date(2023, 6, 1))
    bars[PRICE_COLUMNS] = bars[PRICE_COLUMNS] ** 0.5
    usual = bars.set_index("session")["close"].pct_change()[day]
    bars.loc[bars["session"] >= day, PRICE_COLUMNS] *= (1 + move) / (1 + usual)
    bars.loc[bars["session"] == day, "stock_splits"] = ratio
    return bars


@pytest.mark.parametrize("ticker", ["AAPL", "FB", "GOOG", "IBM", "MSFT"])
def test_real_bars_have_no_finding(ticker: str) -> None:
    """Apple fell by 51.9 % on 2000-09-29: a large move alone is no error."""
    bars = open_source("sample").fetch(ticker, date(2000, 1, 1), date(2013, 3, 1), now=NOW)

    assert check_prices(as_prices(bars.frame), "XNYS") == []


@pytest.mark.parametrize("day", ["2000-06-21", "2005-02-28"])
def test_a_recorded_split_that_was_not_adjusted_is_an_error(day: str) -> None:
    bars = open_source("sample").fetch("AAPL", date(2000, 1, 1), date(2013, 3, 1), now=NOW).frame
    bars.loc[bars["session"] < day, PRICE_COLUMNS] *= 2

    assert [(f.name, f.severity, f.sessions) for f in check_prices(as_prices(bars), "XNYS")] == [
        ("unadjusted_split", "error", (date.fromisoformat(day),))
    ]


@pytest.mark.parametrize("ratio", [2.0, 1.5, 7.0, 0.1], ids=["2:1", "3:2", "7:1", "1:10 reverse"])
@pytest.mark.parametrize("day", [date(2023, 4, 3), date(2023, 5, 16)])
def test_an_unadjusted_split_of_any_ratio_is_an_error(ratio: float, day: date) -> None:
    bars = bars_known_on(date(2023, 6, 1), splits={day: ratio})
    bars.loc[bars["session"] < pd.Timestamp(day), PRICE_COLUMNS] *= ratio

    assert [(f.name, f.sessions) for f in check_prices(as_prices(bars), "XNYS")] == [("unadjusted_split", (day,))]


@pytest.mark.parametrize(
    ("ratio", "move"),
    [(1.05, 0.057), (1.05, 0.186), (1.2, 0.186), (2.0, 0.9), (0.1, -0.8), (1.05, -0.186)],
)
def test_a_true_move_on_the_day_of_an_adjusted_split_is_no_finding(ratio: float, move: float) -> None:
    """A forward split that was not adjusted can only fall, by about its ratio; a reverse one can only rise."""
    bars = with_move(ratio=ratio, move=move)

    returns = np.log(bars["adj_close"]).diff()
    assert np.exp(returns[bars["stock_splits"] > 0].item()) - 1 == pytest.approx(move)
    assert check_prices(as_prices(bars), "XNYS") == []


def test_a_jump_without_a_recorded_split_is_no_finding() -> None:
    bars = bars_known_on(date(2023, 6, 1))
    bars.loc[bars["session"] < "2023-04-03", PRICE_COLUMNS] *= 4

    assert check_prices(as_prices(bars), "XNYS") == []


def test_a_small_stock_dividend_that_was_adjusted_is_no_finding() -> None:
    bars = bars_known_on(date(2023, 6, 1), splits={date(2023, 4, 3): 1.02})

    assert check_prices(as_prices(bars), "XNYS") == []


def test_missing_sessions_are_errors_inside_and_warnings_in_the_last_five() -> None:
    bars = bars_known_on(date(2023, 6, 8))
    n = len(bars)

    findings = check_prices(as_prices(bars.drop(index=[30, n - 6, n - 5, n - 2])), "XNYS")

    sessions = [stamp.date() for stamp in bars["session"]]
    assert findings == [
        Finding(
            "missing_session", "error", "2 sessions of XNYS are missing: 2023-02-15, 2023-06-01",
            (sessions[30], sessions[n - 6]),
        ),
        Finding(
            "missing_session", "warn", "2 sessions are missing and may still come: 2023-06-02, 2023-06-07",
            (sessions[n - 5], sessions[n - 2]),
        ),
    ]  # fmt: skip


def test_a_bar_on_a_day_without_trading_is_an_error() -> None:
    prices = as_prices(bars_known_on(date(2023, 6, 1)))
    holiday = prices.tail(1).assign(session=pd.Timestamp("2023-05-29"))

    findings = check_prices(pd.concat([prices, holiday], ignore_index=True), "XNYS")

    assert [(f.name, f.severity, f.sessions) for f in findings] == [("not_a_session", "error", (date(2023, 5, 29),))]


@pytest.mark.parametrize("restated", [False, True])
def test_a_stored_bar_on_a_sunday_does_not_stand_in_the_way_before_or_after_its_correction(restated: bool) -> None:
    right = bars_known_on(date(2023, 6, 1))
    monday = right["session"] == "2023-05-15"
    wrong = right.assign(session=right["session"].mask(monday, pd.Timestamp("2023-05-14")))
    stored = reconcile(NOTHING, wrong, ticker="AAPL", source="csv", fetched_at=NOW).rows

    before = build_prices(stored, calendar="XNYS")
    assert before["session"].tolist() == right.loc[~monday, "session"].tolist()
    assert [(f.name, f.sessions) for f in check_prices(before, "XNYS")] == [
        ("missing_session", (date(2023, 5, 15),))
    ]  # fmt: skip

    corrected = right.assign(adj_close=right["adj_close"] * (0.5 if restated else 1.0))
    news = reconcile(stored, corrected, ticker="AAPL", source="csv", fetched_at=NOW + timedelta(days=1))
    after = build_prices(pd.concat([stored, news.rows], ignore_index=True), calendar="XNYS")
    pd.testing.assert_frame_equal(after[corrected.columns], corrected)
    assert check_prices(after, "XNYS") == []
    assert (news.n_restated > 0) == restated


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"high": 0.995}, "high_low_order"),
        ({"low": 1.02}, "high_low_order"),
        ({"high": 0.9, "low": 0.95}, "high_low_order"),
        ({"close": -1.0}, "price_not_positive"),
        ({"adj_close": np.nan}, "price_not_positive"),
    ],
)
def test_bars_that_are_out_of_order_are_errors(changes: dict[str, float], name: str) -> None:
    prices = as_prices(bars_known_on(date(2023, 6, 1)))
    reference = prices.loc[10, ["open", "close"]]
    for column, factor in changes.items():
        prices.loc[10, column] = factor * (reference.max() if column != "low" else reference.min())

    assert name in [f.name for f in check_prices(prices, "XNYS") if f.severity == "error"]


def test_rounding_of_published_prices_is_tolerated() -> None:
    prices = as_prices(bars_known_on(date(2023, 6, 1)))
    prices.loc[10, "high"] = prices.loc[10, ["open", "close"]].max() * (1 - 5e-5)
    prices.loc[11, "low"] = prices.loc[11, ["open", "close"]].min() * (1 + 5e-5)

    assert check_prices(prices, "XNYS") == []


def test_a_session_twice_is_an_error_that_names_a_few() -> None:
    prices = as_prices(bars_known_on(date(2023, 6, 1)))

    findings = check_prices(pd.concat([prices, prices.head(5)]), "XNYS")

    assert [f.name for f in findings] == ["duplicate_session"]
    assert findings[0].message == "5 sessions are there twice: 2023-01-03, 2023-01-04, 2023-01-05 and 2 more"


def test_no_bar_at_all_is_an_error() -> None:
    assert [f.name for f in check_prices(as_prices(bars_known_on(date(2023, 6, 1))).head(0), "XNYS")] == ["no_prices"]
