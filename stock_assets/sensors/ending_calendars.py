"""An exchange calendar that ends is announced a month before: from its end on, its tickers have no next session."""

import dagster as dg
import pandas as pd

from stock_assets.announcements import Announcement, announce_all
from stock_assets.checks import first_of
from stock_assets.clock import Clock
from stock_assets.forecasting.sessions import ends_soon
from stock_assets.resources import Warehouse
from stock_assets.sensors._shared import excused, published, tell
from storage import queries


@dg.sensor(
    minimum_interval_seconds=3600,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Looks at the exchange calendars of the universe and announces one that ends within a month, once, "
    "with the tickers that trade by it and the cure.",
)
def ending_calendars(context: dg.SensorEvaluationContext, warehouse: Warehouse, clock: Clock) -> dg.SkipReason:
    """Tell of the calendars that nobody has been told of."""
    universe = published(warehouse, queries.tickers)
    by_calendar = universe.groupby("calendar")["ticker"] if len(universe) else ()  # not known yet: in no group
    problems: list[str] = []
    news: list[Announcement] = []
    for calendar, tickers in by_calendar:
        with excused(str(calendar), "is not looked at", problems):
            last = ends_soon(str(calendar), clock.now().date())
            if last is not None:
                message = _message(str(calendar), f"{last:%Y-%m-%d}", tickers)
                news.append(Announcement("calendar", message, about=f"{calendar}:{last}"))
    tell(problems, context.log.warning)
    n_told = announce_all(news, warehouse=warehouse, now=clock.now(), log=context.log.warning)
    return dg.SkipReason(f"{len(by_calendar)} calendars, {n_told} of them told of now")


def _message(calendar: str, last: str, tickers: pd.Series) -> str:
    return (
        f"the calendar {calendar} is known to {last} only, and after that there is no forecast for "
        f"{first_of(tickers.tolist())} — install a newer exchange_calendars: pip install -U exchange_calendars"
    )
