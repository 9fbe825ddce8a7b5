"""After each session's close plus a settling delay, market by market: fetch, predict, forecast, score."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import date, datetime

import dagster as dg

from stock_assets.clock import Clock
from stock_assets.forecasting.updates import Attempt, Listed, Update, due_updates
from stock_assets.instance import busy_tickers
from stock_assets.jobs import backtest, forecast, lineage
from stock_assets.resources import Warehouse
from stock_assets.sensors._shared import listed_tickers, published, requested, run_request, tell
from storage import queries


@dg.sensor(
    jobs=[forecast, lineage],
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Requests one update per market and session (run key calendar:session) once the exchange has closed "
    "and the source has had time to settle. Missed days need one update; tickers whose bar does not come are asked for "
    "again, together, with growing waits. Tickers without trained models get the whole lineage.",
)
def daily_update(
    context: dg.SensorEvaluationContext, warehouse: Warehouse, clock: Clock
) -> dg.SensorResult | dg.SkipReason:
    """Request the updates that are due."""
    now, attempts = clock.now(), _read(context.cursor)
    listed = listed_tickers(warehouse, log=context.log.warning)
    # A market's backtest takes hours, and its tickers' forecasts have to be there before the next open.
    busy = busy_tickers(context.instance, warehouse.lake, but_for={backtest.name})
    due, problems = due_updates([one for one in listed if one.ticker not in busy], attempts, now=now)
    tell([f"{ticker} is not updated: {problem}" for ticker, problem in problems.items()], context.log.warning)
    if not due:
        waiting = f", {len(busy)} of them with a run under way" if busy else ""
        return dg.SkipReason(f"no session to fetch for {len(listed)} tickers{waiting} at {now:%Y-%m-%d %H:%M} UTC")
    trained = set(published(warehouse, queries.trained_tickers)["ticker"])
    requests = [_request(*group, updates) for group, updates in _grouped(due, trained).items()]
    return requested(context.instance, requests, cursor=_write(attempts, due, listed, now))


def _grouped(updates: Iterable[Update], trained: set[str]) -> dict[tuple[str, str, date, int], list[Update]]:
    groups: dict[tuple[str, str, date, int], list[Update]] = {}
    for one in updates:
        job = forecast if one.ticker in trained else lineage
        groups.setdefault((job.name, one.calendar, one.session, one.number), []).append(one)
    return groups


def _request(job: str, market: str, session: date, number: int, updates: list[Update]) -> dg.RunRequest:
    key = f"{market}:{session}" if number == 1 else f"{market}:{session}:{number}"
    tags = {"stock_assets/session": str(session), "stock_assets/attempt": str(number)}
    return run_request(job, market, {one.ticker: f"{session}:{number}" for one in updates}, key=key, tags=tags)


def _read(cursor: str | None) -> dict[str, Attempt]:
    stored = json.loads(cursor) if cursor else {}
    return {
        ticker: Attempt(date.fromisoformat(one["session"]), one["number"], datetime.fromisoformat(one["at"]))
        for ticker, one in stored.items()
    }


def _write(attempts: Mapping[str, Attempt], due: Iterable[Update], listed: Iterable[Listed], now: datetime) -> str:
    newest = {**attempts, **{update.ticker: Attempt(update.session, update.number, now) for update in due}}
    kept = {one.ticker for one in listed}
    return json.dumps({ticker: asdict(one) for ticker, one in newest.items() if ticker in kept}, default=str)
