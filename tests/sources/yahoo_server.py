"""A loopback server that answers like Yahoo's chart API, faults included. Drives the real yfinance client.

Every chart request takes the next of `answers`; the last one is repeated. Requests for cookies and crumbs, which the
client sends first, are answered too, and everything that was asked is kept in `requests`.
"""

import json
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

EXCHANGE_ZONE = "America/New_York"


@dataclass(frozen=True)
class Answer:
    """One HTTP answer. `delay_s` comes before it; `cut` closes the connection before the announced end."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    delay_s: float = 0.0
    cut: bool = False


@dataclass
class YahooServer:
    """What a test sees: the address, the script of answers and the log of requests."""

    url: str
    answers: list[Answer | Callable[[dict[str, str]], Answer]] = field(default_factory=list)
    requests: list[str] = field(default_factory=list)
    charts: list[dict[str, str]] = field(default_factory=list)

    def next_answer(self, query: dict[str, str]) -> Answer:
        self.charts.append(query)
        answer = self.answers[min(len(self.charts), len(self.answers)) - 1]
        return answer(query) if callable(answer) else answer


def chart(
    bars: pd.DataFrame,
    *,
    exchange: str = "NMS",
    zone: str = EXCHANGE_ZONE,
    currency: str | None = "USD",
    last_trade: datetime | None = None,
) -> Answer:
    """Yahoo's chart JSON for `bars`: the contract's columns; NaN prices become nulls; events from the two last columns.

    A daily bar is stamped with the session's opening; the bar of an open session (`last_trade`) with its last trade.
    """
    stamps = [int(datetime(d.year, d.month, d.day, 9, 30, tzinfo=ZoneInfo(zone)).timestamp()) for d in bars["session"]]
    if last_trade is not None:
        stamps[-1] = int(last_trade.timestamp())
    quote = {name: _nullable(bars[name]) for name in ("open", "high", "low", "close", "volume")}
    events: dict[str, Any] = {"dividends": {}, "splits": {}}
    for stamp, dividend, split in zip(stamps, bars["dividends"], bars["stock_splits"], strict=True):
        if dividend > 0:
            events["dividends"][str(stamp)] = {"amount": dividend, "date": stamp}
        if split > 0:
            events["splits"][str(stamp)] = {
                "date": stamp, "numerator": split, "denominator": 1.0, "splitRatio": f"{split:g}:1",
            }  # fmt: skip
    result: dict[str, Any] = {"meta": _meta(exchange, zone, currency), "indicators": {"quote": [{}], "adjclose": [{}]}}
    if stamps:
        result["timestamp"] = stamps
        result["indicators"] = {"quote": [quote], "adjclose": [{"adjclose": _nullable(bars["adj_close"])}]}
        result["events"] = {name: entries for name, entries in events.items() if entries}
    return as_json({"chart": {"result": [result], "error": None}})


def as_json(content: Any, status: int = 200) -> Answer:
    return Answer(status, json.dumps(content).encode())


def error(code: str, description: str, status: int) -> Answer:
    return as_json({"chart": {"result": None, "error": {"code": code, "description": description}}}, status)


TOO_MANY = Answer(429, b"Too Many Requests", "text/plain")
NOT_FOUND = error("Not Found", "No data found, symbol may be delisted", 404)
HTML = Answer(200, b"<!DOCTYPE html><html><body>Sign in to continue</body></html>", "text/html")
SERVER_ERROR = Answer(500, b"<html>Internal Server Error</html>", "text/html")


@contextmanager
def serving(*answers: Answer | Callable[[dict[str, str]], Answer]) -> Iterator[YahooServer]:
    """A running server on a free port of this machine, stopped at the end."""
    http = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    http.daemon_threads = True
    http.script = YahooServer(f"http://127.0.0.1:{http.server_port}", list(answers))  # type: ignore[attr-defined]
    thread = threading.Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield http.script  # type: ignore[attr-defined]
    finally:
        http.shutdown()
        http.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        script: YahooServer = self.server.script  # type: ignore[attr-defined]
        url = urlsplit(self.path)
        script.requests.append(url.path)
        if url.path.startswith("/v8/finance/chart/"):
            query = {name: values[0] for name, values in parse_qs(url.query).items()}
            self._send(script.next_answer(query | {"symbol": url.path.rsplit("/", 1)[1]}))
        elif url.path == "/v1/test/getcrumb":
            self._send(Answer(200, b"crumb", "text/plain"))
        else:  # fc.yahoo.com answers 404 with a cookie; the consent pages are not offered
            self._send(Answer(404, b"<html></html>", "text/html"))

    def _send(self, answer: Answer) -> None:
        if answer.delay_s:
            time.sleep(answer.delay_s)
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.content_type)
        self.send_header("Content-Length", str(len(answer.body) + (1000 if answer.cut else 0)))
        self.end_headers()
        try:
            self.wfile.write(answer.body)
        except (BrokenPipeError, ConnectionResetError):
            return  # the client gave up waiting, as the test wants

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002  (the name of the inherited parameter)
        """Say nothing."""


def _meta(exchange: str, zone: str, currency: str | None) -> dict[str, Any]:
    now = datetime(2024, 1, 2, 15, tzinfo=UTC)
    period = {
        "timezone": "EST",
        "start": int(now.timestamp()),
        "end": int(now.timestamp()) + 23400,
        "gmtoffset": -18000,
    }
    return {
        "currency": currency,
        "symbol": "TEST",
        "exchangeName": exchange,
        "fullExchangeName": "NasdaqGS",
        "instrumentType": "EQUITY",
        "firstTradeDate": 345479400,
        "regularMarketTime": int(now.timestamp()),
        "gmtoffset": -18000,
        "timezone": "EST",
        "exchangeTimezoneName": zone,
        "priceHint": 2,
        "currentTradingPeriod": {"pre": period, "regular": period, "post": period},
        "dataGranularity": "1d",
        "range": "",
        "validRanges": ["1d", "5d", "1mo", "1y", "max"],
    }


def _nullable(values: pd.Series) -> Sequence[float | None]:
    return [None if np.isnan(value) else float(value) for value in values]
