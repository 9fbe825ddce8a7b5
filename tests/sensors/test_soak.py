"""Twelve sessions of the desk alone: Thanksgiving, its early close, an outage, a night switched off, and a dividend."""

import pytest

from benchmarks.soak.checks import Result, check
from benchmarks.soak.market import DIVIDEND, simulate
from benchmarks.soak.replay import home_below, replay
from benchmarks.soak.script import FULL, SHORT
from stock_assets.forecasting.sessions import session_close


@pytest.fixture(scope="module")
def result(tmp_path_factory: pytest.TempPathFactory) -> Result:
    settings = home_below(tmp_path_factory.mktemp("soak"))
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("STOCK_ASSETS_HOME", str(settings.home))
        environment.setenv("STOCK_ASSETS_SOURCE", "yahoo")
        environment.setenv("STOCK_ASSETS_RETRAIN_DAYS", "never")
        return replay(SHORT, settings, progress=lambda done: None)


@pytest.mark.slow
def test_everything_that_the_long_replay_checks_holds_in_the_short_one(result: Result) -> None:
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("STOCK_ASSETS_HOME", str(result.daemon.settings.home))
        checks = list(check(result))
    assert [one for one in checks if not one.held] == []
    assert len(checks) == 11


@pytest.mark.slow
def test_every_run_was_asked_for_once_and_by_a_sensor(result: Result) -> None:
    asked = [(ran.sensor, ran.run_key) for ran in result.daemon.ran]
    assert len(asked) == len(set(asked))
    assert {ran.sensor for ran in result.daemon.ran} == {"new_tickers", "daily_update"}


def test_the_market_shows_what_was_known_at_the_moment() -> None:
    market = simulate(SHORT)
    day = SHORT.session(SHORT.dividend)
    market.now = session_close("XNYS", SHORT.session(SHORT.dividend - 1))
    before = market.known()
    market.now = session_close("XNYS", day)
    after = market.known()
    assert before["dividends"].sum() == 0
    assert after["dividends"].sum() == DIVIDEND
    assert (before["adj_close"] == before["close"]).all()
    assert len(after) == len(before) + 1
    factor = after["adj_close"].iloc[:-1] / before["adj_close"]
    assert factor.to_numpy() == pytest.approx(1 - DIVIDEND / before["close"].iloc[-1])


def test_the_long_replay_has_what_the_short_one_leaves_out() -> None:
    bars = simulate(FULL).bars
    moves = bars.set_index("session")["close"].pct_change()
    restless = moves[moves.index >= str(FULL.session(20))]
    calm = moves[moves.index < str(FULL.session(20))].tail(len(restless))
    assert 2 < restless.std() / calm.std() < 4.5
    assert (bars["high"] >= bars[["open", "close"]].max(axis=1)).all()
    assert (bars["low"] <= bars[["open", "close"]].min(axis=1)).all()
    assert FULL.n_sessions == 90
