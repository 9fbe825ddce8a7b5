from datetime import UTC, date, datetime, timedelta

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from stock_assets.forecasting.bars import PRICE_COLUMNS
from stock_assets.forecasting.errors import IncompleteHistory, InvalidBars, MixedSources
from stock_assets.forecasting.prices import (
    COLUMNS,
    RAW_COLUMNS,
    Reconciled,
    build_prices,
    reconcile,
)
from storage.tables import PRICES, RAW_PRICES
from tests.sources.known_bars import bars_known_on

DAY_1, DAY_2 = datetime(2023, 6, 1, 22, tzinfo=UTC), datetime(2023, 6, 8, 22, tzinfo=UTC)
NOTHING = pd.DataFrame({"source": pd.Series([], dtype="object")})


def take(stored: pd.DataFrame, fetched: pd.DataFrame, at: datetime, source: str = "yahoo") -> Reconciled:
    return reconcile(stored, fetched, ticker="AAPL", source=source, fetched_at=at)


def first_fetch(until: date = date(2023, 6, 1), **actions: dict[date, float]) -> pd.DataFrame:
    return take(NOTHING, bars_known_on(until, **actions), DAY_1).rows


def prices_of(raw: pd.DataFrame) -> pd.DataFrame:
    return build_prices(raw, calendar="XNYS")


def log_returns(bars: pd.DataFrame) -> pd.Series:
    return np.log(bars.set_index("session")["adj_close"]).diff()


def test_columns_are_those_of_the_tables() -> None:
    assert tuple(RAW_COLUMNS) == RAW_PRICES.column_names
    assert tuple(COLUMNS) == PRICES.column_names
    assert list(first_fetch().columns) == RAW_COLUMNS
    assert list(prices_of(first_fetch()).columns) == COLUMNS


def test_the_first_fetch_is_the_first_vintage() -> None:
    fetched = bars_known_on(date(2023, 6, 1))

    news = take(NOTHING, fetched, DAY_1)

    assert (news.n_new, news.n_restated, news.n_revised, news.vintage) == (len(fetched), 0, 0, DAY_1)
    assert (news.rows["vintage"] == pd.Timestamp(DAY_1)).all()
    assert (news.rows["fetched_at"] == pd.Timestamp(DAY_1)).all()
    assert str(news.rows["fetched_at"].dtype) == "datetime64[ns, UTC]"


def test_new_sessions_extend_the_vintage_when_the_overlap_is_unchanged() -> None:
    stored = first_fetch()

    news = take(stored, bars_known_on(date(2023, 6, 8)), DAY_2)

    assert (news.n_new, news.n_restated, news.n_revised, news.vintage) == (5, 0, 0, DAY_1)
    assert [f"{day:%m-%d}" for day in news.rows["session"]] == ["06-02", "06-05", "06-06", "06-07", "06-08"]
    assert (news.rows["vintage"] == pd.Timestamp(DAY_1)).all()
    assert (news.rows["fetched_at"] == pd.Timestamp(DAY_2)).all()


def test_a_change_below_the_tolerance_is_no_restatement() -> None:
    stored = first_fetch()
    jittered = bars_known_on(date(2023, 6, 1))
    jittered["adj_close"] *= 1 + 5e-7

    assert take(stored, jittered, DAY_2).rows.empty
    jittered["adj_close"] *= 1 + 2e-6
    assert take(stored, jittered, DAY_2).n_restated == len(stored)


@pytest.mark.parametrize(
    ("actions", "restated_before"),
    [
        ({"dividends": {date(2023, 6, 6): 2.0}}, date(2023, 6, 6)),
        ({"splits": {date(2023, 6, 7): 4.0}}, date(2023, 6, 7)),
    ],
    ids=["dividend", "split"],
)
def test_a_dividend_or_split_starts_a_new_vintage_without_a_made_up_return(
    actions: dict[str, dict[date, float]], restated_before: date
) -> None:
    stored = first_fetch()
    kept = stored.copy()
    fetched = bars_known_on(date(2023, 6, 8), **actions)

    news = take(stored, fetched, DAY_2)
    prices = prices_of(pd.concat([stored, news.rows]))

    assert (news.n_restated, news.n_new, news.vintage) == (len(stored), 5, DAY_2)
    assert len(news.rows) == len(fetched)
    pd.testing.assert_series_equal(log_returns(prices), log_returns(fetched))
    assert log_returns(prices).abs().max() < 0.1  # a 4:1 split spliced in would be a return of −1.39
    pd.testing.assert_frame_equal(stored, kept)  # what was stored before is intact
    spliced = pd.concat([kept[["session", "close", "adj_close"]], fetched.tail(5)[["session", "close", "adj_close"]]])
    assert not np.allclose(log_returns(spliced).dropna(), log_returns(fetched).dropna(), atol=1e-6)


def test_a_restatement_far_outside_the_last_days_is_seen() -> None:
    """A correction of old bars only: an overlap window of the newest sessions would miss it."""
    stored = first_fetch()
    fetched = bars_known_on(date(2023, 6, 8))
    fetched.loc[:9, "adj_close"] *= 0.99

    news = take(stored, fetched, DAY_2)

    assert (news.n_restated, news.vintage) == (10, DAY_2)
    pd.testing.assert_series_equal(log_returns(prices_of(pd.concat([stored, news.rows]))), log_returns(fetched))


def test_a_revised_volume_is_stored_under_the_same_vintage_and_the_newest_counts() -> None:
    stored = first_fetch()
    fetched = bars_known_on(date(2023, 6, 1))
    fetched.loc[len(fetched) - 1, "volume"] += 1000

    news = take(stored, fetched, DAY_2)
    prices = prices_of(pd.concat([news.rows, stored]))  # in no particular order

    assert (news.n_new, news.n_restated, news.n_revised, news.vintage) == (0, 0, 1, DAY_1)
    assert prices["volume"].iloc[-1] == fetched["volume"].iloc[-1]
    assert len(prices) == len(fetched)


def test_a_dividend_recorded_late_is_a_revision() -> None:
    stored = first_fetch()
    fetched = bars_known_on(date(2023, 6, 1))
    fetched.loc[3, "dividends"] = 0.5

    assert take(stored, fetched, DAY_2).n_revised == 1


def test_unreported_dividends_equal_themselves() -> None:
    fetched = bars_known_on(date(2023, 6, 1)).assign(dividends=np.nan, stock_splits=np.nan)
    stored = take(NOTHING, fetched, DAY_1).rows

    assert take(stored, fetched, DAY_2).rows.empty


def test_a_bar_the_fetch_lacks_stays_as_it_was() -> None:
    stored = first_fetch()
    fetched = bars_known_on(date(2023, 6, 8)).drop(index=[40, 41])

    raw = pd.concat([stored, take(stored, fetched, DAY_2).rows])

    assert prices_of(raw)["session"].tolist() == bars_known_on(date(2023, 6, 8))["session"].tolist()


def test_a_bar_that_a_restating_fetch_lacks_is_carried_over_in_its_basis() -> None:
    """The truth is known here: the same history without the gap."""
    stored = first_fetch()
    truth = bars_known_on(date(2023, 6, 8), splits={date(2023, 6, 7): 4.0}, dividends={date(2023, 6, 6): 2.0})

    news = take(stored, truth.drop(index=[40, 41, 60]), DAY_2)
    prices = prices_of(pd.concat([stored, news.rows]))

    assert (news.n_carried, news.missing) == (3, ())
    columns = [*PRICE_COLUMNS, "volume"]
    pd.testing.assert_frame_equal(prices[columns], truth[columns], rtol=1e-9)


def test_a_bar_whose_basis_is_not_known_is_left_out_and_named() -> None:
    """It lies where the factor changes, or at an end: any value for it would be made up."""
    stored = first_fetch()
    fetched = bars_known_on(date(2023, 6, 1), dividends={date(2023, 4, 10): 2.0})  # recorded late
    ex_date = int(fetched.index[fetched["dividends"] > 0][0])
    lacking = [0, ex_date, len(fetched) - 1]

    news = take(stored, fetched.drop(index=lacking), DAY_2)

    assert news.n_carried == 0
    assert news.missing == tuple(stamp.date() for stamp in fetched.loc[lacking, "session"])
    assert len(news.rows) == len(fetched) - 3


def test_a_restating_fetch_that_lacks_most_of_the_history_is_refused() -> None:
    stored = first_fetch()
    fetched = bars_known_on(date(2023, 6, 8), splits={date(2023, 6, 7): 4.0}).tail(20)

    with pytest.raises(
        IncompleteHistory, match=r"from 2023-05-11 to 2023-06-08, 14% of the 104 stored .* at least 90%"
    ) as caught:
        take(stored, fetched, DAY_2)
    assert caught.value.cure == (
        "fetch or provide the whole history from 2023-01-03 on (a longer --lookback, a complete file), or start in a "
        "home of its own: STOCK_ASSETS_HOME=<another folder>"
    )


def test_a_fetch_without_any_stored_session_is_refused() -> None:
    with pytest.raises(IncompleteHistory, match="0% of the 104 stored sessions"):
        take(first_fetch(), bars_known_on(date(2023, 6, 8)).tail(3), DAY_2)


def test_an_unchanged_shorter_overlap_extends_as_well() -> None:
    assert take(first_fetch(), bars_known_on(date(2023, 6, 8)).tail(10), DAY_2).n_new == 5


def test_two_sources_never_mix_under_one_ticker() -> None:
    with pytest.raises(MixedSources, match="AAPL holds bars from yahoo and was fetched from csv") as caught:
        take(first_fetch(), bars_known_on(date(2023, 6, 8)), DAY_2, source="csv")
    assert caught.value.cure == (
        "go on with --source yahoo, or give csv a home of its own: STOCK_ASSETS_HOME=<another folder>"
    )


def test_bars_that_cannot_be_true_are_refused() -> None:
    fetched = bars_known_on(date(2023, 6, 1))
    fetched.loc[3, "close"] = np.nan

    with pytest.raises(InvalidBars, match=r"bars of AAPL from yahoo, close: nan on 2023-01-06; expected a positive"):
        take(NOTHING, fetched, DAY_1)


def test_bars_are_final_two_days_after_the_close_of_their_session() -> None:
    """2023-06-01 closed at 20:00 UTC; its bar is final from a fetch on 2023-06-03 at 20:00 on."""
    fetched = bars_known_on(date(2023, 6, 1))
    early = take(NOTHING, fetched, datetime(2023, 6, 3, 19, 59, tzinfo=UTC)).rows
    in_time = take(NOTHING, fetched, datetime(2023, 6, 3, 20, 0, tzinfo=UTC)).rows

    assert prices_of(early)["is_final"].tolist() == [True] * (len(fetched) - 1) + [False]
    assert prices_of(in_time)["is_final"].all()


def test_a_later_fetch_makes_earlier_bars_final() -> None:
    """It asked for the whole history, so it confirmed what it did not change."""
    stored = first_fetch()
    assert not prices_of(stored)["is_final"].iloc[-1]
    raw = pd.concat([stored, take(stored, bars_known_on(date(2023, 6, 8)), DAY_2).rows])

    assert prices_of(raw).set_index("session").loc["2023-06-01", "is_final"]


def test_no_rows_make_a_typed_empty_table() -> None:
    prices = prices_of(first_fetch().head(0))

    assert list(prices.columns) == COLUMNS
    assert prices.dtypes.equals(prices_of(first_fetch()).dtypes)


ACTIONS = st.dictionaries(st.integers(1, 120), st.sampled_from([0.1, 1.0, 5.0]), max_size=3)
SPLITS = st.dictionaries(st.integers(1, 120), st.sampled_from([2.0, 4.0, 0.5]), max_size=2)
SESSIONS = bars_known_on(date(2023, 7, 3))["session"]


@settings(max_examples=30, deadline=None)
@given(
    stops=st.lists(st.integers(60, len(SESSIONS) - 1), min_size=1, max_size=5).map(sorted),
    dividends=ACTIONS,
    splits=SPLITS,
    gaps=st.lists(st.sets(st.integers(0, 120), max_size=3), min_size=5, max_size=5),
    revised=st.integers(0, 3),
)
def test_whatever_yahoo_does_prices_are_one_consistent_vintage(
    stops: list[int], dividends: dict[int, float], splits: dict[int, float], gaps: list[set[int]], revised: int
) -> None:
    """Fetches at several days of a history with dividends, splits, missing bars and revised volumes."""
    paid = {SESSIONS[place].date(): amount for place, amount in dividends.items()}
    split = {SESSIONS[place].date(): ratio for place, ratio in splits.items()}
    raw, held = NOTHING, set()
    for n, stop in enumerate(stops):
        known = bars_known_on(SESSIONS[stop].date(), dividends=paid, splits=split)
        known.loc[known.index[-1], "volume"] += revised
        fetched = known.drop(index=[place for place in gaps[n] if place < len(known)])
        at = datetime(2023, 1, 1, tzinfo=UTC) + timedelta(days=400 + n)
        before = raw.copy()

        news = take(raw, fetched, at)

        pd.testing.assert_frame_equal(raw, before)
        raw = pd.concat([raw, news.rows], ignore_index=True) if len(raw) else news.rows
        prices = prices_of(raw)
        assert take(raw, fetched, at + timedelta(hours=1)).rows.empty  # the same fetch adds nothing
        assert (raw.loc[raw["vintage"] == raw["vintage"].max(), "vintage"] == news.vintage).all()
        assert set(fetched["session"]) <= set(prices["session"])
        assert prices["session"].is_monotonic_increasing
        assert prices["session"].is_unique
        # Every price is the one that Yahoo knew on the day of the last fetch, also where that fetch had a gap.
        truth = known.set_index("session").loc[prices["session"], PRICE_COLUMNS]
        np.testing.assert_allclose(prices[PRICE_COLUMNS], truth, rtol=1e-5)
        assert {stamp.date() for stamp in held - set(prices["session"])} == set(news.missing)
        assert news.n_restated or not news.missing
        held = set(prices["session"])
