"""After each session's close plus a settling delay, by each ticker's exchange: fetch, predict, forecast, score."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from datetime import date, datetime

import dagster as dg

from stock_assets.clock import Clock
from stock_assets.forecasting.updates import Attempt, Listed, Update, due_updates
from stock_assets.jobs import forecast, lineage
from stock_assets.resources import Warehouse
from stock_assets.sensors._materialized import busy_tickers
from stock_assets.sensors._universe import listed_tickers


@dg.sensor(
    jobs=[forecast, lineage],
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Requests one update per ticker and session (run key calendar:session:ticker) once its exchange has "
    "closed and the source has had time to settle. Missed days need one update; a bar that does not come is asked for "
    "again with growing waits. A ticker without trained models gets the whole lineage.",
)
def daily_update(
    context: dg.SensorEvaluationContext, warehouse: Warehouse, clock: Clock
) -> dg.SensorResult | dg.SkipReason:
    """Request the updates that are due."""
    now, attempts = clock.now(), _read(context.cursor)
    listed = listed_tickers(warehouse, log=context.log.warning)
    busy = busy_tickers(context.instance)
    due = due_updates([one for one in listed if one.ticker not in busy], attempts, now=now)
    if not due:
        return dg.SkipReason(f"no session to fetch for {len(listed)} tickers at {now:%Y-%m-%d %H:%M} UTC")
    trained = {fit["ticker"] for fit in warehouse.lake.partitions("models")}
    requests = [
        dg.RunRequest(
            run_key=update.run_key,
            partition_key=update.ticker,
            job_name=(forecast if update.ticker in trained else lineage).name,
            tags={"stock_assets/session": str(update.session), "stock_assets/attempt": str(update.number)},
        )
        for update in due
    ]
    return dg.SensorResult(run_requests=requests, cursor=_write(attempts, due, listed, now))


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
