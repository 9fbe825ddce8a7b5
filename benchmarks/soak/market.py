"""The world outside the desk: simulated bars as Yahoo would know them at a moment, on a loopback server."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd

from benchmarks.soak.script import CALENDAR, TICKER, Script
from stock_assets.forecasting.sessions import session_close, session_open, sessions_between
from stock_assets.resources import PriceSource
from stock_assets.sources.base import Source
from stock_assets.sources.yahoo import Backoff, YahooSource
from tests.sources.yahoo_server import SERVER_ERROR, Answer, chart
from tests.synthetic import garch_bars

_YEARS = 5
DIVIDEND = 1.5
_PRICES = ["open", "high", "low", "close"]


@dataclass
class Market:
    """One ticker's truth, and what the server says of it.

    Attributes:
        bars: sessions and prices as traded, ascending.
        dividends: by ex-date, in money per share.
        down: when the server answers with errors.
        now: the moment of the replay; set by whoever replays.
    """

    bars: pd.DataFrame
    dividends: Mapping[date, float]
    down: tuple[datetime, datetime]
    now: datetime

    def answer(self, query: dict[str, str]) -> Answer:
        """What a request for the chart gets now."""
        if self.down[0] <= self.now < self.down[1]:
            return SERVER_ERROR
        asked = [datetime.fromtimestamp(int(query[name]), UTC).date() for name in ("period1", "period2")]
        known = self.known()
        inside = known[known["session"].between(*(pd.Timestamp(day) for day in asked))]
        is_open = session_close(CALENDAR, inside["session"].iloc[-1].date()) > self.now
        return chart(inside, last_trade=self.now if is_open else None)

    def known(self) -> pd.DataFrame:
        """Bars of the sessions that have opened, adjusted for the dividends so far. Yahoo shows an open session's."""
        bars = self.bars[self.bars["session"] <= pd.Timestamp(self.now.date())]
        if session_open(CALENDAR, bars["session"].iloc[-1].date()) > self.now:
            bars = bars.iloc[:-1]
        bars = bars.reset_index(drop=True)
        adjusted, paid = bars["close"].to_numpy(copy=True), np.zeros(len(bars))
        for ex_date, amount in self.dividends.items():
            place = int(bars["session"].searchsorted(pd.Timestamp(ex_date)))
            if place < len(bars):
                adjusted[:place] *= 1 - amount / bars["close"].iloc[place - 1]
                paid[place] = amount
        return bars.assign(adj_close=adjusted, dividends=paid, stock_splits=0.0)


def simulate(script: Script) -> Market:
    """GARCH bars on the exchange's sessions up to the end of the replay, restless from the planted session on."""
    start = script.first - timedelta(days=366 * _YEARS)
    last = script.sessions[-1]
    sessions = sessions_between(CALENDAR, start, last.date())
    bars = garch_bars(TICKER, len(sessions), seed=script.seed, volatility=0.012, alpha=0.05, beta=0.90)
    bars["session"] = sessions
    if script.regime is not None:
        bars = restless(bars, pd.Timestamp(script.session(script.regime)), 3.0)
    return Market(
        bars=bars[["session", *_PRICES, "volume"]],
        dividends={script.session(script.dividend): DIVIDEND},
        down=script.down,
        now=session_open(CALENDAR, script.session(1)) - timedelta(hours=12),
    )


def restless(bars: pd.DataFrame, since: pd.Timestamp, factor: float) -> pd.DataFrame:
    """Every move from the last close, within a session and over night, times `factor` from a session on."""
    before = bars["close"].shift()
    moves = np.log(bars[_PRICES].div(before, axis=0))
    moves = moves.where(bars["session"] < since, factor * moves)
    close = bars["close"].iloc[0] * np.exp(moves["close"].fillna(0).cumsum())
    prices = np.exp(moves).mul(close.shift(), axis=0)
    moved = bars.assign(**prices.where(before.notna(), bars[_PRICES]))
    return moved.assign(adj_close=moved["close"])


class LoopbackPrices(PriceSource):
    """The real yfinance client, asking the server of this replay, without waiting where it is refused."""

    url: str
    cache_dir: str

    def open(self, stored_source: str | None) -> Source:
        """Yahoo, elsewhere."""
        patience = Backoff(attempts=2)
        return YahooSource(
            base_url=self.url, cache_dir=Path(self.cache_dir), backoff=patience, sleep=lambda seconds: None
        )
