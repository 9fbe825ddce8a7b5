"""One tick of each sensor, and of the schedule, over 5,000 tickers of one market: `python -m benchmarks.sensors`.

The home is simulated: a published lake with what the sensors read (1,260 bars, two models a ticker, 60 live sessions,
250 sessions of drift checks, three monthly decisions), CSV files that do not change, and a real Dagster instance. Each
tick has as much to do as it ever has: a session is due, and later stale, for all tickers, all wait for their review,
and all were checked and decided on since the look before. Budget: 5 s a tick. Told beside it: the first look of a
process at the CSV files, which reads them all, and one publication, which a tick that tells people makes.
"""

import argparse
import logging
import os
import tempfile
import time
from collections.abc import Callable, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, cast

import dagster as dg
import numpy as np
import pandas as pd
import pyarrow as pa

from stock_assets import health
from stock_assets.clock import Clock
from stock_assets.forecasting.features import FEATURES
from stock_assets.forecasting.sessions import session_close, sessions_between
from stock_assets.health import Failure
from stock_assets.instance import open_instance
from stock_assets.resources import Warehouse
from stock_assets.schedules import SCHEDULES
from stock_assets.sensors import SENSORS
from stock_assets.settings import Settings
from storage.contracts import conform
from storage.lake import Lake
from storage.layout import partition_path
from storage.parquet import write_rows
from storage.publisher import Publisher
from storage.tables import TABLES
from tests.dagster_runs import add_run
from tests.storage.frames import partition, rows

BUDGET = 5.0
MARKET = "XNYS"
MODELS = ("random_walk", "xgboost")
_BARS, _LIVE, _CHECKED, _SCORED, _FAILED = 1260, 60, 250, 360, 20
_SESSIONS = sessions_between(MARKET, date(2018, 1, 2), date(2024, 3, 5))[-_BARS - 1 :]
KNOWN, NEXT = _SESSIONS[:-1], _SESSIONS[-1]
DUE = session_close(MARKET, NEXT.date()) + timedelta(hours=1)
STALE = session_close(MARKET, NEXT.date()) + timedelta(hours=7)


@dataclass(frozen=True)
class Home:
    """What a tick is asked in."""

    settings: Settings
    instance: dg.DagsterInstance
    tickers: list[str]

    @property
    def lake(self) -> Lake:
        """The truth."""
        return Lake(self.settings.lake_dir)


def plain(name: str, n: int, **fixed: object) -> pd.DataFrame:
    """Rows of a contract whose numbers are all the same: no sensor reads them, and the files stay small."""
    numbers = {column.name: 100.0 for column in TABLES[name].columns if column.type == "DOUBLE"}
    texts = {c.name: c.name for c in TABLES[name].columns if c.type == "VARCHAR" and c.name not in TABLES[name].key}
    return rows(name, n, **(numbers | texts)).assign(**fixed)


def write_all(lake: Lake, name: str, tickers: Sequence[str], frame: pd.DataFrame, model: str = "random_walk") -> None:
    """The same rows for every ticker, written directly: thousands of synced writes would measure the disk."""
    table = TABLES[name]
    stored = conform(table, frame, partition(name, str(frame["ticker"].iloc[0]), model))
    place = stored.column_names.index("ticker")
    for ticker in tickers:
        path = partition_path(lake.root, table, partition(name, ticker, model))
        path.parent.mkdir(parents=True, exist_ok=True)
        write_rows(stored.set_column(place, stored.field(place), pa.repeat(ticker, stored.num_rows)), path)


def write_csv(folder: Path, tickers: Sequence[str]) -> None:
    """One file with one session more than the lake has, under all names."""
    folder.mkdir()
    days = pd.DataFrame({"Date": _SESSIONS.strftime("%Y-%m-%d")})
    prices = dict.fromkeys(("Open", "High", "Low", "Close", "Adj Close"), 100.0)
    days.assign(**prices, Volume=1000).to_csv(folder / "one", index=False)
    for ticker in tickers:
        os.link(folder / "one", folder / f"{ticker}.csv")


def fill(home: Path, tickers: list[str]) -> None:
    """Lake and published database as a daily update of the newest session left them."""
    lake, rng = Lake(home / "lake"), np.random.default_rng(0)
    empty = dict.fromkeys(("stage", "reason", "cure", "run_id"))
    lake.write("tickers", rows("tickers", 1, ticker="FIRST"), ticker="FIRST")  # makes the lake
    lake.delete("tickers", ticker="FIRST")
    facts = {"calendar": MARKET, "source": "csv", "status": "ok"} | empty
    write_all(lake, "tickers", tickers, rows("tickers", 1, **facts))
    write_all(lake, "prices", tickers, plain("prices", _BARS, session=KNOWN))
    known = KNOWN[60:]
    write_all(lake, "features", tickers, plain("features", len(known), session=known, target_session=known))
    n = _CHECKED * len(FEATURES)
    ends = KNOWN[-_CHECKED:].repeat(len(FEATURES))
    names = [feature.name for feature in FEATURES] * _CHECKED
    when = pd.DatetimeIndex(ends).tz_localize("UTC") + pd.Timedelta(hours=22)
    checks = plain("drift", n, feature=names, current_end=ends, checked_at=when, drifted=rng.random(n) < 0.05)
    write_all(lake, "drift", tickers, checks)
    for model in MODELS:
        fits = plain("models", 2, model=model, kind=["evaluated", "final"], train_end=KNOWN[[-200, -20]])
        write_all(lake, "models", tickers, fits, model)
        said = rng.normal(0, 0.01, _SCORED)
        scored = plain("predictions", _SCORED, model=model, scheme="holdout", fold="holdout", volatility=0.01)
        scored = scored.assign(session=KNOWN[-_SCORED - 1 : -1], target_session=KNOWN[-_SCORED:], role="test")
        scored = scored.assign(predicted_log_return=0.0, actual_log_return=said)
        write_all(lake, "predictions", tickers, scored, model)
        forecast(lake, tickers, model, rng)
    decide(lake, tickers)
    Publisher(home).publish()


def forecast(lake: Lake, tickers: Sequence[str], model: str, rng: np.random.Generator) -> None:
    """Live forecasts and what became of them, session by session."""
    for session, target in zip(KNOWN[-_LIVE - 1 : -1], KNOWN[-_LIVE:], strict=True):
        ids = [f"{ticker}-{model}-{session:%Y%m%d}" for ticker in tickers]
        own = {"forecast_id": ids, "ticker": tickers, "model": model, "target_session": target}
        made = {"as_of_session": session, "created_at": session.tz_localize("UTC") + pd.Timedelta(hours=23)}
        live = {"is_live": True, "is_champion": model == MODELS[0], "volatility": 0.01}
        lake.append("forecasts", plain("forecasts", len(tickers), **(own | made | live)))
        scored_at = target.tz_localize("UTC") + pd.Timedelta(hours=22)
        became = {"scored_at": scored_at, "actual": 100 * np.exp(rng.normal(0, 0.01, len(tickers)))}
        lake.append("forecast_scores", plain("forecast_scores", len(tickers), **(own | became)))


def decide(lake: Lake, tickers: Sequence[str]) -> None:
    """Champions of three months, and retraining decided on once."""
    n = len(tickers)
    for month in ("2023-12", "2024-01", "2024-02"):
        reviewed = {"review": month, "decided_at": pd.Timestamp(f"{month}-02T22:00Z")}
        lake.append("champion", plain("champion", n, ticker=tickers, model=MODELS[0], **reviewed))
    kept = {"action": "keep", "cause": "none", "decided_at": pd.Timestamp("2024-01-02T22:00Z")}
    lake.append("retraining", plain("retraining", n, ticker=tickers, session=KNOWN[-40], **kept))


def tell_made(home: Home, asset: str) -> None:
    """What a step reports to Dagster when it has made an asset for all tickers."""
    told = {"tickers": dg.MetadataValue.json(home.tickers)}
    home.instance.report_runless_asset_event(dg.AssetMaterialization(asset, partition=MARKET, metadata=told))


def fail_some(home: Home) -> None:
    """A run that is over, in which some tickers failed."""
    run = add_run(home.instance, "forecast", home.tickers[:_FAILED], status=dg.DagsterRunStatus.SUCCESS)
    for ticker in home.tickers[:_FAILED]:
        health.failed(home.lake, ticker, Failure("prices", "its bars are bad", "fetch better ones"), run.run_id)
    Warehouse(home=str(home.settings.home)).publish()


def ask(home: Home, sensor: Any, *, now: datetime = DUE, cursor: str | None = None) -> Any:
    """One evaluation."""
    resources = {"warehouse": Warehouse(home=str(home.settings.home)), "clock": Clock(at=now.isoformat())}
    if isinstance(sensor, dg.ScheduleDefinition):
        return sensor.evaluate_tick(dg.build_schedule_context(instance=home.instance, scheduled_execution_time=now))
    if sensor.name == "failed_runs":
        return ask_failed_runs(home, sensor, resources)
    with dg.build_sensor_context(instance=home.instance, cursor=cursor, resources=resources) as context:
        return sensor(context)


def ask_failed_runs(home: Home, sensor: Any, resources: dict[str, Any]) -> None:
    """A run of some tickers that has failed as a whole."""
    run = add_run(home.instance, "forecast", home.tickers[-_FAILED:])
    home.instance.report_run_failed(run)
    failure = home.instance.get_records_for_run(run.run_id, of_type=dg.DagsterEventType.RUN_FAILURE).records[0]
    context = dg.build_run_status_sensor_context(
        sensor_name="failed_runs",
        dagster_event=cast("dg.DagsterEvent", failure.event_log_entry.dagster_event),
        dagster_instance=home.instance,
        dagster_run=run,
        resources=resources,
    )
    with context.for_run_failure() as opened:
        sensor(opened)


def measure(name: str, work: Callable[[], object], budget: float | None = BUDGET) -> None:
    """Do it, and print what it took."""
    began, used = time.perf_counter(), time.process_time()
    work()
    clock, processor = time.perf_counter() - began, time.process_time() - used
    verdict = "" if budget is None else f"   (budget {budget:g} s: {'held' if clock <= budget else 'missed'})"
    print(f"{name:<52} {clock:8.2f} {processor:10.2f}{verdict}", flush=True)


def measure_all(home: Home) -> None:
    """A tick of everything that ticks."""
    asked = {one.name: one for one in (*SENSORS, *SCHEDULES)}
    about = {"restated_history": "prices", "champion_change": "champion", "retraining": "drift"}
    cursors = {name: ask(home, asked[name]).cursor for name in about}  # a first look begins with the present
    measure("the first look at the CSV files", partial(ask, home, asked["freshness"]), budget=None)
    fail_some(home)
    health.learn(home.lake, home.tickers[0], currency="EUR")
    measure("publishing one change", Warehouse(home=str(home.settings.home)).publish, budget=None)
    for name, sensor in asked.items():
        if name in about:
            tell_made(home, about[name])
        now = STALE if name == "freshness" else DUE
        measure(name, partial(ask, home, sensor, now=now, cursor=cursors.get(name)))
    os.environ["STOCK_ASSETS_RETRAIN_DAYS"] = "7"
    measure("retraining, all tickers due", partial(ask, home, asked["retraining"], cursor=cursors["retraining"]))


@contextmanager
def made(folder: Path, n: int) -> Any:
    """A home below `folder` with `n` tickers, opened."""
    tickers = [f"T{number:04d}" for number in range(n)]
    settings = Settings(home=folder / "home", source="csv", csv_dir=folder / "csv")
    os.environ |= {"STOCK_ASSETS_HOME": str(settings.home), "STOCK_ASSETS_CSV_DIR": str(settings.csv_dir)}
    os.environ["STOCK_ASSETS_RETRAIN_DAYS"] = "never"
    write_csv(folder / "csv", tickers)
    measure("making the home (no part of a tick)", lambda: fill(settings.home, tickers), budget=None)
    with open_instance(settings) as instance:
        yield Home(settings, instance, tickers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--tickers", type=int, default=5000)
    given = parser.parse_args()
    print(f"{given.tickers} tickers, one tick{'':<32} {'seconds':>8} {'processor':>10}", flush=True)
    logging.disable(logging.ERROR)  # what the sensors tell of thousands of tickers
    with tempfile.TemporaryDirectory() as folder, made(Path(folder), given.tickers) as home:
        measure_all(home)


if __name__ == "__main__":
    main()
