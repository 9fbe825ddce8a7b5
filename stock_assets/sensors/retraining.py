"""Drift that persists, live errors outside their band, or age: the models are trained again, and the reason is kept."""

import json
from collections.abc import Iterable, Mapping
from datetime import timedelta

import dagster as dg
import numpy as np
import pandas as pd

from stock_assets.announcements import Announcement, announce
from stock_assets.clock import Clock
from stock_assets.forecasting.forecasts import with_actuals
from stock_assets.forecasting.models._base import Floats
from stock_assets.forecasting.retraining import Known, decide_retraining, is_news
from stock_assets.instance import busy_tickers
from stock_assets.jobs import train
from stock_assets.resources import Warehouse
from stock_assets.sensors._materialized import materialized_since
from stock_assets.sensors._requests import requested, run_request
from stock_assets.sensors._universe import excused, tell
from stock_assets.settings import load_settings
from stock_assets.universe import markets_of
from storage.lake import Lake


@dg.sensor(
    job=train,
    minimum_interval_seconds=60,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Looks at every materialisation of drift and decides which tickers are trained again: drift in 8 "
    "of 10 sessions, live errors outside their band, or models older than a week (STOCK_ASSETS_RETRAIN_DAYS). "
    "Retraining evaluates anew and keeps or changes the champion by its own rule. Decisions are in table retraining.",
)
def retraining(
    context: dg.SensorEvaluationContext, warehouse: Warehouse, clock: Clock
) -> dg.SensorResult | dg.SkipReason:
    """Decide for the tickers that were checked since the last look."""
    seen, waiting = _read(context.cursor)
    news, seen = materialized_since(context.instance, "drift", seen)
    # Several checks between two looks are decided on once, with the newest of them.
    checked = waiting | {ticker for one in news for ticker in one.tickers}
    checked &= set(warehouse.lake.read("tickers")["ticker"]) if checked else set()
    # The run that made a check may not have ended yet: its tickers are looked at again.
    busy = checked & busy_tickers(context.instance, warehouse.lake) if checked else set()
    due: dict[str, pd.Series] = {}
    problems: list[str] = []
    for ticker in sorted(checked - busy):
        with excused(ticker, "is not decided on", problems):
            decision = _decide(context, warehouse, clock, ticker)
            if decision["action"] == "retrain":
                due[ticker] = decision
    tell(problems, context.log.warning)
    return requested(
        context.instance,
        [_request(market, {name: due[name] for name in names}) for market, names in _markets(warehouse, due).items()],
        cursor=json.dumps({"seen": seen, "waiting": sorted(busy)}),
    )


def _read(cursor: str | None) -> tuple[str | None, set[str]]:
    stored = json.loads(cursor) if cursor else {"seen": None, "waiting": []}
    if not isinstance(stored, dict):  # as it was once written: the last event alone
        return str(stored), set()
    return stored["seen"], set(stored["waiting"])


def _markets(warehouse: Warehouse, due: Iterable[str]) -> dict[str, list[str]]:
    return markets_of(warehouse.lake, due) if due else {}


def _request(market: str, decisions: Mapping[str, pd.Series]) -> dg.RunRequest:
    causes = ", ".join(sorted({str(row["cause"]) for row in decisions.values()}))
    about = {ticker: f"{row['session']:%Y-%m-%d}" for ticker, row in decisions.items()}
    return run_request(train.name, market, about, key=f"retrain:{market}", tags={"stock_assets/cause": causes})


def _decide(context: dg.SensorEvaluationContext, warehouse: Warehouse, clock: Clock, ticker: str) -> pd.Series:
    known, now = _known(warehouse.lake, ticker), clock.now()
    decision = decide_retraining(known, decided_at=now)
    row = decision.iloc[0]
    if is_news(decision, known.decisions):
        warehouse.lake.append("retraining", decision, only_new=True)
        warehouse.publish()
    if row["action"] == "retrain" and row["cause"] != "age":
        message = f"{ticker} is trained again. {row['reason']}"
        told = Announcement("retraining", message, about=f"{row['session']:%Y-%m-%d}", ticker=ticker)
        announce(told, warehouse=warehouse, now=now, log=context.log.info)
    return row


def _known(lake: Lake, ticker: str) -> Known:
    champion = lake.read("champion", ticker=ticker).sort_values("decided_at")["model"].iloc[-1]
    fits = lake.read("models", ticker=ticker, kind="final")
    days = load_settings().retrain_days
    return Known(
        ticker=ticker,
        sessions=pd.DatetimeIndex(lake.read("features", ticker=ticker)["session"]),
        drift=lake.read("drift", ticker=ticker),
        live_errors=_live_errors(lake, ticker, champion),
        reference_errors=_reference_errors(lake, ticker, champion),
        trained_through=fits["train_end"].max().date(),
        decisions=lake.read("retraining", ticker=ticker),
        every=timedelta(days=days) if days else None,
    )


def _live_errors(lake: Lake, ticker: str, model: str) -> Floats:
    """Squared live errors in log returns over forecast variance, in time order."""
    forecasts = lake.read("forecasts", ticker=ticker, model=model, is_live=True)
    scores = lake.read("forecast_scores", ticker=ticker, model=model)
    rows = with_actuals(forecasts, scores).sort_values("target_session")
    rows = rows.drop_duplicates("target_session", keep="last")
    errors = np.log(rows["actual"] / rows["predicted"]) / rows["volatility"]
    return np.asarray(errors.to_numpy(dtype=float) ** 2)


def _reference_errors(lake: Lake, ticker: str, model: str) -> Floats:
    """The same of holdout rows, none of which the evaluated fit has learned from."""
    rows = lake.read("predictions", ticker=ticker, model=model, scheme="holdout").sort_values("session")
    errors = (rows["actual_log_return"] - rows["predicted_log_return"]) / rows["volatility"]
    return np.asarray(errors.dropna().to_numpy(dtype=float) ** 2)
