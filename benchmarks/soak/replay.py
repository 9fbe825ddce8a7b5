"""A replay from the first tick to the last."""

from collections.abc import Callable
from datetime import UTC, datetime, time, timedelta
from pathlib import Path

from benchmarks.soak.checks import Ledger, Result
from benchmarks.soak.daemon import Daemon, loopback
from benchmarks.soak.market import simulate
from benchmarks.soak.script import Script
from stock_assets.instance import open_instance
from stock_assets.settings import Settings
from tests.sources.yahoo_server import serving

_SUNDAY = 6
_REVIEWS = frozenset({"monthly_review"})


def replay(script: Script, settings: Settings, progress: Callable[[int], object]) -> Result:
    """Let the desk live through a script, in the home that the environment names.

    Args:
        script: what happens.
        settings: of that home, which is new.
        progress: called with the number of sessions done.
    """
    market, ledger = simulate(script), Ledger()
    days = range((script.sessions[-1] - script.sessions[0]).days + 1)
    without = frozenset() if script.are_reviewed else _REVIEWS
    with (
        serving(market.answer) as server,
        loopback(server.url, settings.home / "yfinance") as prices,
        open_instance(settings) as instance,
    ):
        daemon = Daemon(settings, instance, market, script.lookback, prices, without)
        daemon.tick(market.now)  # cursors of sensors on assets begin here
        daemon.add_ticker()
        daemon.tick(market.now)
        for number in days:
            day = (script.sessions[0] + timedelta(days=number)).date()
            if day.weekday() == _SUNDAY:
                daemon.upkeep(datetime.combine(day, time(8), UTC))
            for moment in script.moments(day):
                daemon.tick(moment)
            ledger.look(daemon.warehouse.lake)
            progress(int((script.sessions <= str(day)).sum()))
        return Result(script, daemon, ledger.edited)


def home_below(folder: Path) -> Settings:
    """Settings of a new home."""
    return Settings(home=folder / "home", source="yahoo", retrain_days=None)
