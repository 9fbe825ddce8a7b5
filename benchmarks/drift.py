"""False retrainings and power of the rule that trains again for drift or live errors: `python -m benchmarks.drift`.

GARCH(1,1) bars are checked session by session with `forecasting.drift` and decided on with `forecasting.retraining` as
they are: persistence, live errors of the random walk, and cool-down included, age left out. Without a change, at most
half a retraining per ticker and year is allowed (issue of the desk that runs itself; docs/adr/0086). Then volatility is
doubled for good, and the share of tickers trained again within some sessions is its power.
"""

import argparse
import sys
import time
from dataclasses import dataclass, field
from datetime import UTC, datetime

import numpy as np
import pandas as pd

from benchmarks.soak.market import restless
from stock_assets.forecasting.drift import CURRENT, NEEDED, OF, REFERENCE, SHARE, measure_drift
from stock_assets.forecasting.features import compute_features
from stock_assets.forecasting.models._base import Floats
from stock_assets.forecasting.retraining import LIVE_ROWS, Decision, Known, decide_retraining, upper_band
from stock_assets.forecasting.volatility import forecast_volatility
from tests.synthetic import garch_bars

BUDGET = 0.5
"""False retrainings per ticker and year."""
YEAR = 252
AFTER = (20, 40, 60, 120)
"""Sessions after the change at which power is stated."""
_HOLDOUT = 240  # out-of-sample rows of a training on five years
_WARM_UP = 60
_START = REFERENCE + CURRENT
_SEED = 8600


@dataclass
class Desk:
    """One ticker: its features, what the random walk's errors were, and what has been decided.

    Attributes:
        errors: squared log return over forecast variance, by session of the bar that is forecast.
        trained: index of the session of the last training.
    """

    ticker: str
    features: pd.DataFrame
    errors: Floats
    trained: int
    flags: list[bool] = field(default_factory=list)
    retrained: list[tuple[int, str]] = field(default_factory=list)
    band: float = np.inf

    def decide(self, now: int) -> None:
        """Where either cause is possible at all, let the rule decide after session `now`."""
        live = self.errors[_START : now + 1]
        is_high = len(live) >= LIVE_ROWS and live[-LIVE_ROWS:].mean() > self.band
        if sum(self.flags[-OF:]) < NEEDED and not is_high:
            return
        decision = self._decision(live, now)
        if decision.action == "retrain":
            self.retrained.append((now, decision.cause))
            self.train(now)

    def train(self, now: int) -> None:
        """Models that have seen everything up to `now`."""
        self.trained = now
        self.band = upper_band(self.errors[now + 1 - _HOLDOUT : now + 1])

    def _decision(self, live: Floats, now: int) -> Decision:
        sessions = pd.DatetimeIndex(self.features["session"].iloc[: now + 1])
        reference = self.errors[self.trained + 1 - _HOLDOUT : self.trained + 1]
        known = Known(
            ticker=self.ticker,
            session=sessions[-1].date(),
            drifted=np.array(self.flags[-OF:]),
            live_errors=live,
            reference_errors=reference,
            trained_through=sessions[self.trained].date(),
            since_cause=now - self.retrained[-1][0] if self.retrained else None,
            latest=None,
            every=None,
        )
        return decide_retraining(known, decided_at=_time(sessions[-1]))


def make_desk(seed: int, n: int, start: int, change: int | None = None) -> Desk:
    """A ticker of `n` sessions with features, trained at `start`; its volatility doubles at session `change`."""
    ticker = f"T{seed}"
    bars = garch_bars(ticker, n + _WARM_UP, seed=seed)
    if change is not None:
        bars = restless(bars, bars["session"].iloc[change + _WARM_UP], 2.0)
    features = compute_features(bars)
    returns = np.log(bars["adj_close"]).diff()
    variance = pd.Series(forecast_volatility(bars.assign(log_return=returns)) ** 2)
    errors = (returns**2 / variance.shift()).set_axis(bars["session"])
    desk = Desk(ticker, features, errors.reindex(features["session"]).to_numpy(), start)
    desk.train(start)
    return desk


def replay(desks: list[Desk], first: int, last: int, what: str) -> None:
    """Check and decide after every session in [first, last), all tickers in one pass a session."""
    began = time.monotonic()
    for now in range(first, last):
        newest = pd.concat([desk.features.iloc[now + 1 - REFERENCE - CURRENT : now + 1] for desk in desks])
        checked = measure_drift(newest, checked_at=_time(desks[0].features["session"].iloc[now]))
        for desk, (_, own) in zip(desks, checked.groupby("ticker", sort=False), strict=True):
            desk.flags = [*desk.flags[1 - OF :], bool(own["drifted"].mean() >= SHARE)]
            desk.decide(now)
        done = now + 1 - first
        if done % 100 == 0:
            left = (time.monotonic() - began) / done * (last - first - done)
            print(f"{what}: session {done} of {last - first}, {left:.0f} s left", file=sys.stderr, flush=True)


def _time(session: pd.Timestamp) -> datetime:
    moment: datetime = (session + pd.Timedelta(hours=22)).tz_localize(UTC).to_pydatetime()
    return moment


def false_rate(n_series: int, years: int) -> bool:
    """Print retrainings per ticker and year without any change; whether the budget is held."""
    n = REFERENCE + CURRENT + years * YEAR
    first = REFERENCE + CURRENT
    desks = [make_desk(_SEED + i, n, first - 1) for i in range(n_series)]
    replay(desks, first, min(len(desk.features) for desk in desks), "no change")
    causes = pd.Series([cause for desk in desks for _, cause in desk.retrained], dtype=object).value_counts()
    ticker_years = n_series * years
    rate, error = causes.sum() / ticker_years, np.sqrt(causes.sum()) / ticker_years
    by_cause = ", ".join(f"{cause} {count / ticker_years:.2f}" for cause, count in causes.items()) or "none"
    verdict = "held" if rate <= BUDGET else "missed"
    print(
        f"without a change, {n_series} tickers, {years} years: {rate:.2f} ± {error:.2f} retrainings a ticker and year"
    )
    print(f"  by cause: {by_cause} (budget {BUDGET}: {verdict})")
    return bool(rate <= BUDGET)


def power(n_series: int) -> None:
    """Print the share of tickers trained again within some sessions of a doubled volatility."""
    change = REFERENCE + CURRENT + OF
    desks = [make_desk(_SEED + 1000 + i, change + max(AFTER) + 1, change - OF - 1, change) for i in range(n_series)]
    replay(desks, change - OF, change + max(AFTER), "doubled volatility")
    delays = [min((at for at, _ in desk.retrained if at >= change), default=change + 10_000) - change for desk in desks]
    shares = ", ".join(f"{np.mean([delay < n for delay in delays]):.0%} within {n}" for n in AFTER)
    print(f"volatility doubled, {n_series} tickers: trained again {shares} sessions")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=32, help="tickers without, and twice as many with, a change")
    parser.add_argument("--years", type=int, default=3, help="years without a change; 0: power only")
    given = parser.parse_args()
    is_held = false_rate(given.series, given.years) if given.years else True
    power(2 * given.series)
    sys.exit(0 if is_held else 1)


if __name__ == "__main__":
    main()
