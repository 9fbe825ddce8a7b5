"""Announcements: what people should hear of, told once, in the log, a table, and to a webhook if there is one.

No secret gets out: messages pass `settings.redact`, and the webhook's address is never printed.
"""

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import pandas as pd

from stock_assets.forecasting.manifest import digest
from stock_assets.resources import Warehouse
from stock_assets.settings import load_settings, redact

Kind = Literal["failure", "champion", "retraining", "restated", "stale", "calendar"]
_TIMEOUT_S = 10


@dataclass(frozen=True)
class Announcement:
    """Something worth hearing of; `about` identifies it (a run, a decision, a session), so that it is told once."""

    kind: Kind
    message: str
    about: str
    ticker: str | None = None

    @property
    def identity(self) -> str:
        """Hash of kind, ticker and what it is about."""
        return digest({"kind": self.kind, "ticker": self.ticker, "about": self.about})


def announce(announcement: Announcement, *, warehouse: Warehouse, now: datetime, log: Callable[[str], object]) -> bool:
    """Tell it, unless it has been told. Returns whether it was news.

    A webhook that cannot be reached is logged; the announcement stands in the table `announcements` all the same.
    """
    return bool(announce_all([announcement], warehouse=warehouse, now=now, log=log))


def announce_all(
    announcements: Iterable[Announcement], *, warehouse: Warehouse, now: datetime, log: Callable[[str], object]
) -> int:
    """Tell those that have not been told, and publish once. Returns how many were news.

    A webhook that does not take one of them is not asked to take the others.
    """
    given = {one.identity: one for one in announcements}
    told = warehouse.lake.read("announcements", announcement_id=list(given))["announcement_id"] if given else ()
    news = {identity: one for identity, one in given.items() if identity not in set(told)}
    rows = [_row(one, now) for one in news.values()]
    # Somebody else may have told them since: who writes them down, tells them.
    if not rows or not warehouse.lake.append("announcements", pd.DataFrame(rows), only_new=True):
        return 0
    warehouse.publish()
    for row in rows:
        log(str(row["message"]))
    webhook = load_settings().webhook
    for row in rows if webhook else ():
        problem = _post(str(webhook), {"text": row["message"], "kind": row["kind"], "ticker": row["ticker"]})
        if problem:
            log(f"the webhook did not take {'this announcement' if len(rows) == 1 else 'all of these'}: {problem}")
            break
    return len(rows)


def _row(announcement: Announcement, now: datetime) -> dict[str, Any]:
    return {
        "announcement_id": announcement.identity,
        "announced_at": pd.Timestamp(now).floor("us"),
        "kind": announcement.kind,
        "ticker": announcement.ticker,
        "message": redact(announcement.message),
    }


def _post(url: str, content: dict[str, str | None]) -> str | None:
    """Post JSON; returns what went wrong, without the address, or None."""
    body = json.dumps(content).encode()
    request = urllib.request.Request(url, body, {"Content-Type": "application/json"})  # noqa: S310  (settings allow http and https only)
    try:
        with urllib.request.urlopen(request, timeout=_TIMEOUT_S):  # noqa: S310  (as above)
            return None
    except urllib.error.HTTPError as error:
        return f"it answered {error.code}"
    except OSError as error:
        return f"it could not be reached ({type(error).__name__})"
