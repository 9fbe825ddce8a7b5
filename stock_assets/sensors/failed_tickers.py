"""The tickers that failed in a run are announced: once, together, with reason and cure."""

import json

import dagster as dg
import pandas as pd

from stock_assets.announcements import Announcement, announce_all
from stock_assets.checks import first_lines
from stock_assets.clock import Clock
from stock_assets.health import FAILED
from stock_assets.resources import Warehouse
from stock_assets.sensors._shared import published
from storage import queries


@dg.sensor(
    minimum_interval_seconds=30,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Looks at the failed tickers of the universe and announces those of each run that is over, once, with "
    "the line that says why and how to cure it.",
)
def failed_tickers(context: dg.SensorEvaluationContext, warehouse: Warehouse, clock: Clock) -> dg.SensorResult:
    """Tell of the runs that nobody has been told of."""
    failed = published(warehouse, queries.tickers)
    if len(failed):
        failed = failed[(failed["status"] == FAILED) & failed["run_id"].notna()]
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


def _announcement(run_id: str, rows: pd.DataFrame) -> Announcement:
    lines = [f"{row['ticker']}: {row['stage']}: {row['reason']} — {row['cure']}" for row in rows.to_dict("records")]
    about = ":".join([run_id, *rows["ticker"]])
    if len(lines) == 1:
        return Announcement("failure", f"a ticker failed: {lines[0]}", about=about, ticker=rows["ticker"].iloc[0])
    return Announcement("failure", "\n".join([f"{len(lines)} tickers failed:", *first_lines(lines)]), about=about)
