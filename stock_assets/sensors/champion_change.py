"""A new champion is announced, with the reason it was chosen."""

import dagster as dg

from stock_assets.announcements import Announcement, announce_all
from stock_assets.clock import Clock
from stock_assets.resources import Warehouse
from stock_assets.sensors._shared import materialized_since


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Looks at every materialisation of champion: where a ticker's model differs from the decision before, "
    "the change and its reason are announced. The first decision of a ticker is no change.",
)
def champion_change(context: dg.SensorEvaluationContext, warehouse: Warehouse, clock: Clock) -> dg.SensorResult:
    """Announce the champions that changed."""
    news, cursor = materialized_since(context.instance, "champion", context.cursor)
    tickers = sorted({ticker for one in news for ticker in one.tickers})
    decisions = warehouse.lake.read("champion", ticker=tickers).sort_values("decided_at")
    changes: list[Announcement] = []
    for ticker, history in decisions.groupby("ticker"):
        if len(history) > 1 and history["model"].iloc[-1] != history["model"].iloc[-2]:
            before, now = history.iloc[-2], history.iloc[-1]
            message = f"{ticker}: {now['model']} replaces {before['model']} as champion. {now['reason']}"
            about = now["decided_at"].isoformat()
            changes.append(Announcement("champion", message, about=about, ticker=str(ticker)))
    told = announce_all(changes, warehouse=warehouse, now=clock.now(), log=context.log.info)
    return dg.SensorResult(
        cursor=cursor, skip_reason=None if told else f"{len(tickers)} decisions since the last look, no new champion"
    )
