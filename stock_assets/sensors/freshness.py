"""Freshness by each ticker's exchange: weekends and holidays make nothing stale."""

from collections.abc import Callable
from datetime import date, datetime, timedelta

import dagster as dg

from stock_assets.announcements import Announcement, announce_all
from stock_assets.checks import first_of
from stock_assets.clock import Clock
from stock_assets.forecasting.updates import Listed, stale_tickers
from stock_assets.resources import Warehouse
from stock_assets.sensors._shared import listed_tickers, tell

PATIENCE = timedelta(hours=6)
"""How long after a close its bar may be missing. By then, `daily_update` has asked four times."""
_PRICES = dg.AssetKey("prices")
_NAME = "fresh"


@dg.asset_check(
    asset=_PRICES,
    name=_NAME,
    description="Every ticker has a bar of each session that closed more than 6 hours ago, by its exchange's calendar. "
    "Looked at by the sensor freshness.",
)
def fresh(context: dg.AssetCheckExecutionContext, warehouse: Warehouse, clock: Clock) -> dg.AssetCheckResult:
    """The same look by hand."""
    stale = _stale(warehouse, clock.now(), context.log.warning)
    return dg.AssetCheckResult(passed=not stale, severity=dg.AssetCheckSeverity.WARN, description=_sentence(stale))


@dg.sensor(
    minimum_interval_seconds=900,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Evaluates the check fresh of prices: stale is a ticker that lacks a session closed more than 6 hours "
    "ago. Those of a market are announced together, once per missing session.",
)
def freshness(context: dg.SensorEvaluationContext, warehouse: Warehouse, clock: Clock) -> dg.SensorResult:
    """Report and announce the tickers that lack a session."""
    now = clock.now()
    stale = _stale(warehouse, now, context.log.warning)
    groups: dict[tuple[str, date], list[Listed]] = {}
    for one in stale:
        groups.setdefault((one.calendar, one.newest_session), []).append(one)
    news = []
    for (market, session), some in groups.items():
        alone = some[0].ticker if len(some) == 1 else None
        news.append(Announcement("stale", _sentence(some) or "", about=f"{market}:{session}", ticker=alone))
    announce_all(news, warehouse=warehouse, now=now, log=context.log.warning)
    severity = dg.AssetCheckSeverity.WARN
    evaluation = dg.AssetCheckEvaluation(
        _PRICES, _NAME, passed=not stale, severity=severity, description=_sentence(stale)
    )
    return dg.SensorResult(asset_events=[evaluation])


def _stale(warehouse: Warehouse, now: datetime, log: Callable[[str], object]) -> list[Listed]:
    stale, problems = stale_tickers(listed_tickers(warehouse, log=log), now=now, patience=PATIENCE)
    tell([f"{ticker}: its freshness is unknown: {problem}" for ticker, problem in problems.items()], log)
    return stale


def _sentence(stale: list[Listed]) -> str | None:
    newest = first_of([f"{one.ticker} has no bar after {one.newest_session}" for one in stale])
    return f"{newest}, and a later session has closed" if stale else None
