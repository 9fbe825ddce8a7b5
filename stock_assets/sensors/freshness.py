"""Freshness by each ticker's exchange: weekends and holidays make nothing stale."""

from collections.abc import Callable
from datetime import datetime, timedelta

import dagster as dg

from stock_assets.announcements import Announcement, announce
from stock_assets.clock import Clock
from stock_assets.forecasting.updates import Listed, is_stale
from stock_assets.resources import Warehouse
from stock_assets.sensors._universe import listed_tickers

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
    "ago. Each is announced once per missing session.",
)
def freshness(context: dg.SensorEvaluationContext, warehouse: Warehouse, clock: Clock) -> dg.SensorResult:
    """Report and announce the tickers that lack a session."""
    now = clock.now()
    stale = _stale(warehouse, now, context.log.warning)
    for one in stale:
        news = Announcement("stale", _sentence([one]) or "", about=str(one.newest_session), ticker=one.ticker)
        announce(news, warehouse=warehouse, now=now, log=context.log.warning)
    severity = dg.AssetCheckSeverity.WARN
    evaluation = dg.AssetCheckEvaluation(
        _PRICES, _NAME, passed=not stale, severity=severity, description=_sentence(stale)
    )
    return dg.SensorResult(asset_events=[evaluation])


def _stale(warehouse: Warehouse, now: datetime, log: Callable[[str], object]) -> list[Listed]:
    return [one for one in listed_tickers(warehouse, log=log) if is_stale(one, now=now, patience=PATIENCE)]


def _sentence(stale: list[Listed]) -> str | None:
    newest = ", ".join(f"{one.ticker} has no bar after {one.newest_session}" for one in stale)
    return f"{newest}, and a later session has closed" if stale else None
