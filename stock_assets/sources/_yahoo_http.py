"""The HTTP session the yfinance client is given, and what Yahoo's answer to a chart request means.

yfinance says "possibly delisted" for an unknown symbol, a lost connection and a holiday alike. So the session keeps the
last chart response, and the outcome is decided from that.
"""

import json
import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from urllib.parse import urlsplit

from curl_cffi.const import CurlECode
from curl_cffi.requests import Response, Session

from stock_assets.sources.base import (
    MalformedData,
    NoConnection,
    NoDataInRange,
    RateLimited,
    SourceError,
    UnknownTicker,
    Unreachable,
)

_CHART = "/v8/finance/chart/"
_LATER = "try again later; what is stored is unchanged"
_NO_CONNECTION = {CurlECode.COULDNT_RESOLVE_PROXY, CurlECode.COULDNT_RESOLVE_HOST, CurlECode.COULDNT_CONNECT}
_CURLS_ADVICE = re.compile(r"\.? See https?://.*", re.DOTALL)


class ChartSession(Session[Response]):
    """A browser-like session with a bounded wait that remembers the last chart response, None before one came."""

    def __init__(self, *, base_url: str | None, timeout: float) -> None:
        """Send every request, those for cookies and crumbs too, to `base_url` if one is given."""
        # A proxy of the environment is for the outside, not for a server that was named on purpose.
        super().__init__(impersonate="chrome", trust_env=base_url is None)
        self._base_url = base_url
        self._longest_wait = timeout
        self.chart: Response | None = None

    def forget(self) -> None:
        """Start a new question: no chart response yet."""
        self.chart = None

    def request(self, method: Any, url: str, *args: Any, **kwargs: Any) -> Response:
        """As `Session.request`; yfinance waits 30 s for a cookie it can do without, which is capped here too."""
        path = urlsplit(url).path
        if self._base_url is not None:
            url = self._base_url.rstrip("/") + (path or "/")
        kwargs["timeout"] = self._longest_wait
        response: Response = super().request(method, url, *args, **kwargs)
        if path.startswith(_CHART):
            self.chart = response
        return response


@dataclass(frozen=True)
class Question:
    """What Yahoo was asked."""

    ticker: str
    start: date
    end: date

    def __str__(self) -> str:
        """For messages: AAPL from 2024-01-02 to 2024-02-01."""
        return f"{self.ticker} from {self.start:%Y-%m-%d} to {self.end:%Y-%m-%d}"


def no_answer(error: OSError, question: Question) -> Unreachable:
    """The error for a failure of curl or a socket: `NoConnection` where no connection came about."""
    is_refused = getattr(error, "code", None) in _NO_CONNECTION or isinstance(error, ConnectionRefusedError)
    kind = NoConnection if is_refused else Unreachable
    return kind(
        f"Yahoo did not answer when asked for {question} ({_CURLS_ADVICE.sub('', str(error))})",
        cure="check the network and try again, or do without it: --source sample, or --source csv with your files",
    )


def chart_meta(response: Response, question: Question) -> dict[str, Any]:
    """`meta` of a chart answer that holds bars.

    Raises:
        RateLimited, Unreachable, UnknownTicker, NoDataInRange, MalformedData: for any other answer.
    """
    if response.status_code == 429:
        raise RateLimited(f"Yahoo refused {question.ticker} (HTTP 429, too many requests)", cure=_LATER)
    if response.status_code >= 500 or response.status_code in (401, 403):
        raise Unreachable(f"Yahoo answered HTTP {response.status_code} when asked for {question}", cure=_LATER)
    chart = _chart(response, question)
    error = chart.get("error")
    if error:
        raise _refusal(error, response.status_code, question)
    results = chart.get("result")
    if not (isinstance(results, list) and results and isinstance(results[0], dict)):
        raise _malformed("an answer without result", question)
    meta = results[0].get("meta")
    if not isinstance(meta, dict):
        raise _malformed("a result without meta", question)
    if not results[0].get("timestamp"):
        raise _no_data(question, meta)
    return meta


def _chart(response: Response, question: Question) -> dict[str, Any]:
    try:
        answer = json.loads(response.content)
    except ValueError as error:
        kind = response.headers.get("content-type", "nothing")
        raise _malformed(f"{kind} that is no JSON ({response.text[:40]!r}…)", question) from error
    chart = answer.get("chart") if isinstance(answer, dict) else None
    if not isinstance(chart, dict):
        raise _malformed(f"JSON without chart ({response.text[:40]!r}…)", question)
    return chart


def _refusal(error: Any, status: int, question: Question) -> SourceError:
    code, description = (error.get(key) for key in ("code", "description")) if isinstance(error, dict) else ("", error)
    if status == 404 or code == "Not Found":
        return UnknownTicker(
            f"Yahoo does not know {question.ticker!r} ({description})",
            cure="check the symbol on finance.yahoo.com; other exchanges need a suffix, like VOD.L",
        )
    # "Data doesn't exist for startDate = …, endDate = …": the symbol is known, but did not trade then.
    if "data doesn't exist" in str(description).lower():
        return _no_data(question, {})
    return _malformed(f"the error {code}: {description}", question)


def _no_data(question: Question, meta: dict[str, Any]) -> NoDataInRange:
    first = meta.get("firstTradeDate")
    known = f"; its first is of {datetime.fromtimestamp(first, tz=UTC):%Y-%m-%d}" if isinstance(first, int) else ""
    return NoDataInRange(f"Yahoo has no bar of {question}{known}", cure="ask for a longer range (--lookback)")


def _malformed(found: str, question: Question) -> MalformedData:
    return MalformedData(f"Yahoo sent {found} when asked for {question}; expected chart JSON", cure=_LATER)
