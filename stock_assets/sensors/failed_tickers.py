"""The tickers that failed in a run are announced: once, together, with reason and cure."""

import json

import dagster as dg
import pandas as pd

from stock_assets.announcements import Announcement, announce
from stock_assets.clock import Clock
from stock_assets.resources import Warehouse
from stock_assets.sensors._universe import published
from storage import queries

_NAMED = 20


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Looks at the failed tickers of the universe and announces those of each run that is over, once, with "
    "the line that says why and how to cure it.",
)
def failed_tickers(
    context: dg.SensorEvaluationContext, warehouse: Warehouse, clock: Clock
) -> dg.SensorResult | dg.SkipReason:
    """Tell of the runs that nobody has been told of."""
    universe = published(warehouse, queries.tickers)
    failed = universe[universe["status"] == "failed"] if len(universe) else universe
    told, now_failed, n_told = set(json.loads(context.cursor or "[]")), set(), 0
    for run_id, rows in failed.dropna(subset=["run_id"]).groupby("run_id") if len(failed) else ():
        if run_id not in told:
            run = context.instance.get_run_by_id(str(run_id))
            if run is not None and not run.is_finished:
                continue  # more may follow
            alone = rows["ticker"].iloc[0] if len(rows) == 1 else None
            news = Announcement("failure", _message(rows), about=str(run_id), ticker=alone)
            n_told += announce(news, warehouse=warehouse, now=clock.now(), log=context.log.warning)
        now_failed.add(run_id)
    cursor = json.dumps(sorted(now_failed))
    return dg.SensorResult(cursor=cursor, skip_reason=None if n_told else f"{len(failed)} failed tickers, no new one")


def _message(rows: pd.DataFrame) -> str:
    lines = [f"{row['ticker']}: {row['stage']}: {row['reason']} — {row['cure']}" for row in rows.to_dict("records")]
    if len(lines) == 1:
        return f"a ticker failed: {lines[0]}"
    more = [f"… and {len(lines) - _NAMED} more"] if len(lines) > _NAMED else []
    return "\n".join([f"{len(lines)} tickers failed:", *lines[:_NAMED], *more])
