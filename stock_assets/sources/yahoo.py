"""Daily bars from Yahoo Finance through the yfinance client. For personal use, by Yahoo's terms.

Prices come unadjusted for dividends (`auto_adjust=False`) with the adjusted close beside them; nothing is repaired.
"""

import logging
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pandas as pd

from stock_assets.forecasting.bars import PRICE_COLUMNS
from stock_assets.forecasting.sessions import are_sessions
from stock_assets.sources._bars import completed, finish_bars, within
from stock_assets.sources.base import (
    Bars,
    MalformedData,
    NoConnection,
    RateLimited,
    UnknownExchange,
    UnknownTicker,
    Unreachable,
)
from storage.tickers import validate_ticker

if TYPE_CHECKING:
    from stock_assets.sources._yahoo_http import ChartSession, Question

_log = logging.getLogger(__name__)

# yfinance keeps one session, one crumb and one configuration per process.
_ONE_AT_A_TIME = threading.Lock()

_COLUMNS = {
    "Open": "open",
    "High": "high",
    "Low": "low",
    "Close": "close",
    "Adj Close": "adj_close",
    "Volume": "volume",
    "Dividends": "dividends",
    "Stock Splits": "stock_splits",
}

# Yahoo's `exchangeName` → calendar of exchange_calendars. Indices have exchange names of their own (SNP, DJI, …).
_CALENDARS = {
    **dict.fromkeys(
        ("NMS", "NGM", "NCM", "NAS", "NIM", "NYQ", "NYS", "ASE", "PCX", "BTS", "PNK", "OQB", "OQX"), "XNYS"
    ),
    **dict.fromkeys(("SNP", "DJI", "WCB", "CXI", "CBO", "CGI"), "XNYS"),
    **{"TOR": "XTSE", "VAN": "XTSE", "NEO": "XTSE", "CNQ": "XTSE", "MEX": "XMEX", "SAO": "BVMF", "BUE": "XBUE"},
    **{"SGO": "XSGO", "LIM": "XLIM", "LSE": "XLON", "IOB": "XLON", "FGI": "XLON", "ISE": "XDUB", "PAR": "XPAR"},
    **{"AMS": "XAMS", "BRU": "XBRU", "LIS": "XLIS", "GER": "XETR", "FRA": "XFRA", "MIL": "XMIL", "MCE": "XMAD"},
    **{"EBS": "XSWX", "VIE": "XWBO", "STO": "XSTO", "CPH": "XCSE", "HEL": "XHEL", "OSL": "XOSL", "ICE": "XICE"},
    **{"WSE": "XWAR", "PRA": "XPRA", "BUD": "XBUD", "ATH": "ASEX", "IST": "XIST", "TLV": "XTAE", "JNB": "XJSE"},
    **{"JPX": "XTKS", "OSA": "XTKS", "HKG": "XHKG", "SHH": "XSHG", "SHZ": "XSHG", "TAI": "XTAI", "TWO": "XTAI"},
    **{"KSC": "XKRX", "KOE": "XKRX", "SES": "XSES", "KLS": "XKLS", "JKT": "XIDX", "SET": "XBKK", "NSI": "XBOM"},
    **{"BSE": "XBOM", "ASX": "XASX", "NZE": "XNZE", "SAU": "XSAU", "CCC": "24/7", "CCY": "24/5"},
}


@dataclass(frozen=True)
class Backoff:
    """How often to ask, and how long to wait between: half of a doubling wait is fixed, half is random.

    Random waits keep clients from asking again at the same moment (Brooker 2015, "Exponential backoff and jitter").

    Attributes:
        attempts: requests in all; where no connection came about, two at most.
        first_wait: longest wait after the first refusal, in seconds; it doubles with each further one.
        longest_wait: cap of a wait, in seconds.
        reconnect_wait: wait before the second try where no connection came about, in seconds: a network that is down
            does not come back by waiting for it politely.
    """

    attempts: int = 5
    first_wait: float = 4.0
    longest_wait: float = 60.0
    reconnect_wait: float = 1.0

    def wait(self, refusals: int, rng: random.Random) -> float:
        """Seconds to wait after that many refusals (from 1)."""
        ceiling = min(self.longest_wait, self.first_wait * 2.0 ** (refusals - 1))
        return ceiling / 2 + rng.uniform(0, ceiling / 2)


@dataclass(frozen=True, kw_only=True)
class YahooSource:
    """The real yfinance client, one request at a time.

    Attributes:
        backoff: how to go on when refused (HTTP 429) or not answered.
        timeout: seconds to wait for one answer.
        cache_dir: folder of yfinance's own small cache (cookies); the user's cache folder by default.
        base_url: server to ask instead of Yahoo.
        sleep: called with the seconds of each wait.
        rng: source of the jitter; by default seeded by process and ticker, so that parallel runs spread.
    """

    name = "yahoo"
    backoff: Backoff = Backoff()
    timeout: float = 20.0
    cache_dir: Path | None = None
    base_url: str | None = None
    sleep: Callable[[float], None] = time.sleep
    rng: random.Random | None = None

    def fetch(self, ticker: str, start: date, end: date, *, now: datetime) -> Bars:
        """Bars of sessions in [start, end] complete at `now`; NaN rows and partial bars are dropped and listed.

        Raises:
            UnknownTicker, NoDataInRange, RateLimited, Unreachable, MalformedData: as in the contract.
            UnknownExchange: where the ticker trades on an exchange without a known calendar.
        """
        from stock_assets.sources._yahoo_http import Question

        question = Question(validate_ticker(ticker), start, end)
        table, meta = self._ask_until_answered(question)
        calendar = _calendar(ticker, meta)
        usable, dropped = _usable(table, calendar)
        given = finish_bars(usable, where=f"Yahoo's bars of {ticker}", cure="try again later, or use --source csv")
        bars, still_open = completed(given, calendar, now)
        listed = {day: reason for day, reason in (dropped | still_open).items() if start <= day <= end}
        inside = within(bars, start, end, ticker=ticker, source=self.name, partial=given)
        return Bars(inside, calendar=calendar, currency=str(meta["currency"]), dropped=dict(sorted(listed.items())))

    def last_session(self, ticker: str) -> date | None:
        """None: Yahoo follows the market."""
        return None

    def _ask_until_answered(self, question: "Question") -> tuple[pd.DataFrame, dict[str, Any]]:
        rng = self.rng or random.Random(f"{os.getpid()} {question.ticker}")  # noqa: S311  (spreads requests, no secret)
        refusals, waited = 0, 0.0
        while True:
            try:
                return self._ask(question)
            except (RateLimited, Unreachable) as error:
                refusals += 1
                is_offline = isinstance(error, NoConnection)
                if refusals >= (min(2, self.backoff.attempts) if is_offline else self.backoff.attempts):
                    tried = f"{error.problem}; asked {refusals} times over {waited:.0f} s"
                    raise type(error)(tried, cure=error.cure) from error
                seconds = self.backoff.reconnect_wait if is_offline else self.backoff.wait(refusals, rng)
                _log.warning("%s; asking again in %.0f s", error.problem, seconds)
                self.sleep(seconds)
                waited += seconds

    def _ask(self, question: "Question") -> tuple[pd.DataFrame, dict[str, Any]]:
        from stock_assets.sources._yahoo_http import chart_meta, no_answer

        with _ONE_AT_A_TIME:
            _keep_cache_in(self.cache_dir or _user_cache_dir())
            session = _session(self.base_url, self.timeout)
            session.forget()
            try:
                table = _history(question, session, self.timeout)
            except OSError as error:  # what curl and sockets raise: refused, timed out, cut off, no such host
                raise no_answer(error, question) from error
            if session.chart is None:
                problem = f"{question.ticker!r} is no symbol that yfinance asks Yahoo for"
                raise UnknownTicker(problem, cure="use Yahoo's symbol, no ISIN")
            meta = chart_meta(session.chart, question)
            if table is None:
                problem = f"Yahoo sent a chart of {question} that yfinance cannot read"
                raise MalformedData(problem, cure="try again later, or update yfinance")
            return table, meta


@cache
def _session(base_url: str | None, timeout: float) -> "ChartSession":
    """One session per process: yfinance keeps the crumb that belongs to its cookies."""
    from stock_assets.sources._yahoo_http import ChartSession

    return ChartSession(base_url=base_url, timeout=timeout)


def _history(question: "Question", session: "ChartSession", timeout: float) -> pd.DataFrame | None:
    """The client's table, or None where it could not make one of the answer; `OSError` where there was no answer."""
    import yfinance
    from yfinance.data import YfData
    from yfinance.exceptions import YFException

    YfData.cache_get.cache_clear()  # it would repeat an old answer, a failed one too, for as long as the process lives
    try:
        with _open_client():
            client = yfinance.Ticker(question.ticker, session=session)
            # Else the client asks Yahoo for the time zone first, one more request on the way to HTTP 429. It only
            # serves to turn dates into seconds; a day more on each side makes up for it.
            client._tz = "UTC"
            table: pd.DataFrame = client.history(
                start=question.start - timedelta(days=1),
                end=question.end + timedelta(days=1),  # exclusive
                interval="1d",
                auto_adjust=False,
                actions=True,
                repair=False,
                keepna=True,
                timeout=timeout,
            )
    except (YFException, KeyError, TypeError, ValueError, IndexError, AttributeError):
        return None
    return table


@contextmanager
def _open_client() -> Iterator[None]:
    """While inside, yfinance raises what it meets and logs nothing: the outcome is told once, from the answer."""
    import yfinance

    debug, logger = yfinance.config.debug, logging.getLogger("yfinance")
    hidden, disabled = debug.hide_exceptions, logger.disabled
    debug.hide_exceptions, logger.disabled = False, True
    try:
        yield
    finally:
        debug.hide_exceptions, logger.disabled = hidden, disabled


@cache
def _keep_cache_in(folder: Path) -> None:
    import yfinance

    yfinance.set_tz_cache_location(str(folder))


def _user_cache_dir() -> Path:
    from platformdirs import user_cache_path

    return user_cache_path("stock-assets") / "yfinance"


def _calendar(ticker: str, meta: dict[str, Any]) -> str:
    exchange = meta.get("exchangeName")
    if exchange not in _CALENDARS:
        raise UnknownExchange(
            f"{ticker} trades on Yahoo's exchange {exchange!r} ({meta.get('fullExchangeName')}, time zone "
            f"{meta.get('exchangeTimezoneName')}), whose calendar is not known here",
            cure="add it to _CALENDARS in stock_assets/sources/yahoo.py, or use --source csv",
        )
    return _CALENDARS[exchange]


def _usable(table: pd.DataFrame, calendar: str) -> tuple[pd.DataFrame, dict[date, str]]:
    """Rows of sessions with all five prices, and the reason for each other row.

    `table` has the exchange's midnights as index.
    """
    sessions = pd.DatetimeIndex(table.index).tz_localize(None).normalize()
    rows = table.rename(columns=_COLUMNS).assign(session=sessions).reset_index(drop=True)
    reasons = pd.Series("", index=rows.index)
    # For some exchanges Yahoo repeats the last price on holidays; now and then a bar bears the date of a weekend.
    reasons[~are_sessions(calendar, rows["session"])] = f"no session of {calendar}"
    for price in PRICE_COLUMNS:
        reasons[rows[price].isna() & (reasons == "")] = f"Yahoo has no {price} for this session yet"
    left_out = reasons != ""
    days = (stamp.date() for stamp in rows.loc[left_out, "session"])
    return rows[~left_out], dict(zip(days, reasons[left_out], strict=True))
