"""How each ticker fares: its row of the table `tickers`, which no asset writes, and every step may change.

added → fetched → ok        each by the step that made it so (`Made.status`)
failed                      by any step, with stage, reason, cure and run; that step's success takes it back, as a
                            run's success does where the whole run was cut short
"""

from collections.abc import Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pandas as pd

from stock_assets.errors import StockAssetsError
from storage.errors import ContractViolation
from storage.lake import Lake
from storage.tables import TABLES

FAILED = "failed"


@dataclass(frozen=True)
class Failure:
    """Why a ticker could not go on, and what to do about it; `stage`: asset that failed, or job whose process ended."""

    stage: str
    reason: str
    cure: str

    @classmethod
    def of(cls, error: Exception, stage: str) -> "Failure":
        """An expected error in its own words; anything else is a bug, and is called one."""
        if isinstance(error, StockAssetsError):
            return cls(stage, error.problem, error.cure)
        said = " ".join(str(error).split())[:300]
        return cls(stage, f"a bug: {type(error).__name__}: {said}", "see the trace in the run's log, and report it")

    @classmethod
    def of_stop(cls, stage: str) -> "Failure":
        """Somebody stopped it."""
        return cls(stage, "it was interrupted", "run it again; finished fits are kept")

    @property
    def line(self) -> str:
        """All of it in one line."""
        return f"{self.stage}: {self.reason} — {self.cure}"


def learn(lake: Lake, ticker: str, **known: str) -> None:
    """Write down what is known of a ticker: calendar, currency, source. It is in the universe from then on."""
    stored = lake.read("tickers", ticker=ticker)
    if stored.empty or any(stored[name].iloc[0] != value for name, value in known.items()):
        _change(lake, ticker, **known)


def succeeded(lake: Lake, made: Mapping[str, str | None], stages: Collection[str]) -> None:
    """A step has made its rows of some tickers.

    `made` says what each is from now on: fetched, unless it is more already, or ok; None: as it was. The failures of
    `stages` are over with that: the step's own, and that of the job it is a part of, which was cut short last time.
    """
    for row in lake.read("tickers", ticker=list(made)).to_dict("records"):  # who was removed meanwhile stays removed
        ticker, status, before = row["ticker"], made[row["ticker"]], row["status"]
        is_cured = before == FAILED and row["stage"] in stages
        if status == "ok" or is_cured or (status == "fetched" and before == "added"):
            now = status if status == "ok" else _what_it_has(lake, ticker)
            # A forecast that was made is written down again: an older run may be found to have failed only afterwards.
            if status == "ok" or now != before:
                _change(lake, ticker, status=now, stage=None, reason=None, cure=None, run_id=None)


def failed(lake: Lake, ticker: str, failure: Failure, run_id: str) -> None:
    """A step has failed for a ticker; its last good rows stay. One that was removed meanwhile stays removed.

    Where its row of `tickers` itself is damaged, nothing can be written down: whoever asks for it is told.
    """
    told = {"stage": failure.stage, "reason": failure.reason, "cure": failure.cure}
    with suppress(ContractViolation):
        if len(lake.read("tickers", ticker=ticker)):
            _change(lake, ticker, status=FAILED, run_id=run_id, **told)


def failures_of(lake: Lake, run_id: str) -> dict[str, Failure]:
    """Ticker → why it failed in a run, of those that have not recovered since."""
    rows = lake.read("tickers", status=FAILED, run_id=run_id)
    return {row["ticker"]: Failure(row["stage"], row["reason"], row["cure"]) for row in rows.to_dict("records")}


def _what_it_has(lake: Lake, ticker: str) -> str:
    if len(lake.read("forecasts", ticker=ticker)):
        return "ok"
    return "fetched" if len(lake.read("raw_prices", ticker=ticker)) else "added"


def _change(lake: Lake, ticker: str, **values: str | None) -> None:
    stored = lake.read("tickers", ticker=ticker)
    row: dict[str, Any] = dict.fromkeys(TABLES["tickers"].column_names) | {"ticker": ticker, "status": "added"}
    if len(stored):
        row |= {str(name): value for name, value in stored.iloc[0].to_dict().items()}
    row |= values | {"updated_at": pd.Timestamp(datetime.now(UTC)).floor("us")}
    lake.write("tickers", pd.DataFrame([row]), ticker=ticker)
