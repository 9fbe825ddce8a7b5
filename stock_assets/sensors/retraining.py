"""Drift that persists, live errors outside their band, or age: the models are trained again, and the reason is kept."""

import json
from collections.abc import Iterable, Mapping
from datetime import timedelta
from functools import partial
from typing import Any

import dagster as dg
import numpy as np
import pandas as pd

from stock_assets.announcements import Announcement, announce_all
from stock_assets.clock import Clock
from stock_assets.forecasting.drift import OF, SHARE
from stock_assets.forecasting.models._base import Floats
from stock_assets.forecasting.retraining import Decision, Known, as_rows, decide_retraining, is_news
from stock_assets.instance import busy_tickers
from stock_assets.jobs import train
from stock_assets.resources import Warehouse
from stock_assets.sensors._shared import excused, materialized_since, published, requested, run_request, tell
from stock_assets.settings import load_settings
from storage import queries


@dg.sensor(
    job=train,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Looks at every materialisation of drift and decides which tickers are trained again: drift in 8 "
    "of 10 sessions, live errors outside their band, or models older than a week (STOCK_ASSETS_RETRAIN_DAYS). "
    "Retraining evaluates anew and keeps or changes the champion by its own rule. Decisions are in table retraining.",
)
def retraining(context: dg.SensorEvaluationContext, warehouse: Warehouse, clock: Clock) -> dg.SensorResult:
    """Decide for the tickers that were checked since the last look."""
    seen, waiting = _read(context.cursor)
    news, seen = materialized_since(context.instance, "drift", seen)
    # Several checks between two looks are decided on once, with the newest of them.
    checked = waiting | {ticker for one in news for ticker in one.tickers}
    # The run that made a check may not have ended yet: its tickers are looked at again. One that has is published.
    busy = checked & busy_tickers(context.instance, warehouse.lake) if checked else set()
    # All tickers in one query: one after another, each would be eight files.
    asked = partial(queries.retraining_facts, tickers=sorted(checked - busy), n_checks=OF)
    facts = published(warehouse, asked).to_dict("records") if checked - busy else []
    due = {decision.ticker: decision for decision in _decide(context, warehouse, clock, facts)}
    markets: dict[str, dict[str, Decision]] = {}
    for row in facts:
        if row["ticker"] in due:
            markets.setdefault(row["calendar"], {})[row["ticker"]] = due[row["ticker"]]
    return requested(
        context.instance,
        [_request(market, decisions) for market, decisions in markets.items()],
        cursor=json.dumps({"seen": seen, "waiting": sorted(busy)}),
    )


def _read(cursor: str | None) -> tuple[str | None, set[str]]:
    stored = json.loads(cursor) if cursor else {"seen": None, "waiting": []}
    if not isinstance(stored, dict):  # as it was once written: the last event alone
        return str(stored), set()
    return stored["seen"], set(stored["waiting"])


def _request(market: str, decisions: Mapping[str, Decision]) -> dg.RunRequest:
    causes = ", ".join(sorted({one.cause for one in decisions.values()}))
    about = {ticker: f"{one.session:%Y-%m-%d}" for ticker, one in decisions.items()}
    return run_request(train.name, market, about, key=f"retrain:{market}", tags={"stock_assets/cause": causes})


def _decide(
    context: dg.SensorEvaluationContext, warehouse: Warehouse, clock: Clock, facts: Iterable[Mapping[Any, Any]]
) -> list[Decision]:
    """Those that are trained again; what is decided is written down and told."""
    now, days = clock.now(), load_settings().retrain_days
    news: list[Decision] = []
    problems: list[str] = []
    for row in facts:
        with excused(row["ticker"], "is not decided on", problems):
            if any(pd.isna(row[name]) for name in ("calendar", "model", "trained_through", "session")):
                problems.append(f"{row['ticker']} is not decided on: it has no market, features, champion or fits")
                continue
            known = _known(row, timedelta(days=days) if days else None)
            decision = decide_retraining(known, decided_at=now)
            if is_news(decision, known.latest):
                news.append(decision)
    tell(problems, context.log.warning)
    if news:
        warehouse.lake.append("retraining", as_rows(news), only_new=True)
    due = [one for one in news if one.action == "retrain"]
    told = [_announcement(one) for one in due if one.cause != "age"]
    if not announce_all(told, warehouse=warehouse, now=now, log=context.log.info) and news:
        warehouse.publish()  # what is told is published with it
    return due


def _announcement(one: Decision) -> Announcement:
    message = f"{one.ticker} is trained again. {one.reason}"
    return Announcement("retraining", message, about=f"{one.session:%Y-%m-%d}", ticker=one.ticker)


def _known(row: Mapping[Any, Any], every: timedelta | None) -> Known:
    return Known(
        ticker=row["ticker"],
        session=row["session"].date(),
        drifted=_numbers(row["drifted"]) >= SHARE,
        live_errors=_numbers(row["live"]) ** 2,
        reference_errors=_numbers(row["reference"]) ** 2,
        trained_through=row["trained_through"].date(),
        since_cause=None if pd.isna(row["since_cause"]) else int(row["since_cause"]),
        latest=None if pd.isna(row["action"]) else (row["action"], row["cause"]),
        every=every,
    )


def _numbers(listed: Any) -> Floats:
    """A list of the query's; null where there was nothing."""
    return np.asarray(listed if isinstance(listed, np.ndarray) else [], dtype=float)
