"""The tickers that failed in a run are announced: once, together, with reason and cure."""

import json

import dagster as dg
import pandas as pd

from stock_assets.announcements import Announcement, announce_all
from stock_assets.checks import first_lines
from stock_assets.clock import Clock
from stock_assets.health import FAILED
from stock_assets.resources import Warehouse
from stock_assets.sensors._universe import published
from storage import queries


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
    failed = _failed(warehouse)
    told: dict[str, list[str]] = json.loads(context.cursor or "{}")
    known: dict[str, list[str]] = {}
    news: list[Announcement] = []
    for run_id, rows in failed.groupby("run_id") if len(failed) else ():
        run = context.instance.get_run_by_id(str(run_id))
        if run is not None and not run.is_finished:
            continue  # more may follow
        # Tickers of a run that was cut short are marked a moment after it is.
        new = rows[~rows["ticker"].isin(told.get(str(run_id), []))]
        if len(new):
            news.append(_announcement(str(run_id), new))
        known[str(run_id)] = rows["ticker"].tolist()
    n_told = announce_all(news, warehouse=warehouse, now=clock.now(), log=context.log.warning)
    cursor = json.dumps(known)
    return dg.SensorResult(cursor=cursor, skip_reason=None if n_told else f"{len(failed)} failed tickers, no new one")


def _failed(warehouse: Warehouse) -> pd.DataFrame:
    universe = published(warehouse, queries.tickers)
    return universe[(universe["status"] == FAILED) & universe["run_id"].notna()] if len(universe) else universe


def _announcement(run_id: str, rows: pd.DataFrame) -> Announcement:
    alone = rows["ticker"].iloc[0] if len(rows) == 1 else None
    return Announcement("failure", _message(rows), about=":".join([run_id, *rows["ticker"]]), ticker=alone)


def _message(rows: pd.DataFrame) -> str:
    lines = [f"{row['ticker']}: {row['stage']}: {row['reason']} — {row['cure']}" for row in rows.to_dict("records")]
    if len(lines) == 1:
        return f"a ticker failed: {lines[0]}"
    return "\n".join([f"{len(lines)} tickers failed:", *first_lines(lines)])
