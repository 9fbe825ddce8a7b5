"""A restated history marks what was made from the old one."""

import dagster as dg

from stock_assets.announcements import Announcement, announce_all
from stock_assets.clock import Clock
from stock_assets.forecasting.ensembles import model_names
from stock_assets.resources import Warehouse
from stock_assets.sensors._shared import Materialized, materialized_since

_MARK = "restated_sessions"


@dg.sensor(
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Looks at every materialisation of prices: where earlier sessions of a ticker were restated (a "
    "dividend, a split, a correction), the models get an observation that says so, and it is announced. The daily run "
    "has already made features and predictions from the new history; the next training replaces the models.",
)
def restated_history(context: dg.SensorEvaluationContext, warehouse: Warehouse, clock: Clock) -> dg.SensorResult:
    """Mark the models of restated tickers."""
    news, cursor = materialized_since(context.instance, "prices", context.cursor)
    restated = [one for one in news if one.marks.get(_MARK)]
    told = [
        Announcement("restated", _sentence(ticker, n), about=one.run_id, ticker=ticker)
        for one in restated
        for ticker, n in one.marks[_MARK].items()
    ]
    announce_all(told, warehouse=warehouse, now=clock.now(), log=context.log.info)
    return dg.SensorResult(
        cursor=cursor,
        asset_events=[mark for one in restated for mark in _marks(one)],
        skip_reason=None if restated else f"{len(news)} updates since the last look, no restated history",
    )


def _sentence(ticker: str, n: int) -> str:
    return f"{ticker}: {n} sessions of its history were restated; its models were trained on the history before"


def _marks(one: Materialized) -> list[dg.AssetObservation]:
    """One a model, about all tickers of the run."""
    restated = one.marks[_MARK]
    return [
        dg.AssetObservation(
            dg.AssetKey(["model", name]),
            partition=one.market,
            description="\n".join(_sentence(ticker, n) for ticker, n in restated.items()),
            metadata={_MARK: dg.MetadataValue.json(dict(restated)), "restated_by_run": one.run_id},
        )
        for name in model_names()
    ]
