"""From a forecast back to the bars: gathers what the lake, the model folders and Dagster's instance know about it."""

from contextlib import AbstractContextManager, nullcontext
from datetime import datetime
from typing import Any

import dagster as dg
import pandas as pd

from stock_assets.errors import StockAssetsError
from stock_assets.forecasting.addresses import code_version
from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.forecasting.combining import ensemble_code_version
from stock_assets.forecasting.ensembles import discover_ensembles, model_names
from stock_assets.forecasting.errors import ArtifactMismatch
from stock_assets.forecasting.intervals import LEVELS
from stock_assets.forecasting.manifest import hash_rows
from stock_assets.forecasting.models import discover
from stock_assets.forecasting.provenance import (
    ANY_DAY,
    KnownBars,
    bars_of_fit,
    bars_of_forecast,
    find_forecast,
    reproduce,
)
from stock_assets.forecasting.stored_model import StoredModel
from stock_assets.instance import open_instance
from stock_assets.settings import Settings
from storage.lake import Lake

Section = dict[str, Any]
_LAST_BARS = 3
_RUNS_ASKED = 100  # runs of a market that may have left the ticker out
_SAID = ("ticker", "model", "as_of_session", "target_session", "created_at", "predicted", "naive")
_FLAGS = ("is_champion", "is_live", "source")
_BOUNDS = tuple(f"{side}_{level}" for level in LEVELS for side in ("lower", "upper"))


def trace(settings: Settings, prefix: str) -> dict[str, Section]:
    """Everything a forecast came from, section by section; values are text, numbers, flags, times, or None.

    What is missing or does not fit any more is said in its section, under `problem`; it is no error of the trace.
    `UnknownForecast` where no forecast, or several, have such an id.
    """
    lake, store = Lake(settings.lake_dir), ArtifactStore(settings.models_dir)
    forecast = find_forecast(lake.read("forecasts"), prefix)
    ticker = forecast["ticker"]
    raw = lake.read("raw_prices", ticker=ticker)
    facts = lake.read("tickers", ticker=ticker)  # none of a ticker that was removed from the universe
    calendar = str(facts["calendar"].iloc[0]) if len(facts) else ANY_DAY
    rows = lake.read("models", ticker=ticker, model=forecast["model"], version=forecast["model_version"])
    fit = _plain(rows.iloc[0]) if len(rows) else None
    model, artifact = _artifact(store, forecast, fit)
    bars, shown_bars = _bars(raw, forecast, calendar)
    return {
        "forecast": {"forecast_id": forecast["forecast_id"], **_plain(forecast[[*_SAID, *_BOUNDS, *_FLAGS]])},
        "artifact": artifact,
        "mlflow": {"run_id": fit["mlflow_run_id"] if fit is not None else None},
        "dagster": _runs(settings, forecast, fit, bars, calendar),
        "code": _code(forecast),
        "training": _training(raw, model, fit, calendar),
        "bars": shown_bars,
        "reproduction": _reproduction(model, bars, forecast, artifact, shown_bars),
    }


def _artifact(store: ArtifactStore, forecast: pd.Series, fit: Section | None) -> tuple[StoredModel | None, Section]:
    address = forecast["ticker"], forecast["model"], forecast["model_version"]
    shown: Section = {
        "folder": str(store.folder(*address)),
        "version": forecast["model_version"],
        "hash": fit["artifact_hash"] if fit is not None else None,
        "verified": False,
        "problem": None,
    }
    try:
        if forecast["model"] not in model_names():
            raise ArtifactMismatch(f"there is no model {forecast['model']} any more", cure="use the code of then")
        model = store.load(*address)
    except ArtifactMismatch as error:
        return None, shown | {"problem": str(error)}
    found = model.manifest.artifact_hash
    shown |= {"kind": model.manifest.kind, "hash": found, "verified": fit is None or fit["artifact_hash"] == found}
    if not shown["verified"] and fit is not None:
        shown["problem"] = f"the table models has hash {fit['artifact_hash']}; the fit was made again since"
    return model, shown


def _code(forecast: pd.Series) -> Section:
    name, now = forecast["model"], None
    if name in discover():
        now = code_version(discover()[name]())
    elif name in discover_ensembles():
        now = ensemble_code_version(discover_ensembles()[name]())
    return {"then": forecast["code_version"], "now": now, "is_same": now == forecast["code_version"]}


def _training(raw: pd.DataFrame, model: StoredModel | None, fit: Section | None, calendar: str) -> Section:
    known = ("data_version", "train_start", "train_end", "n_train")
    if model is None:
        return {name: fit[name] if fit is not None else None for name in known} | {"found_again": False}
    manifest, found = model.manifest, Section(found_again=True)
    try:
        bars_of_fit(raw, manifest, calendar=calendar)
    except StockAssetsError as error:
        found = {"found_again": False, "problem": str(error)}
    return {name: getattr(manifest, name) for name in known} | found


def _bars(raw: pd.DataFrame, forecast: pd.Series, calendar: str) -> tuple[KnownBars | None, Section]:
    try:
        bars = bars_of_forecast(raw, forecast, calendar=calendar)
    except StockAssetsError as error:
        return None, {"data_version": forecast["data_version"], "problem": str(error)}
    fetched = bars.fetched
    shown = ["session", "open", "high", "low", "close", "adj_close", "volume", "fetched_at"]
    return bars, {
        "data_version": hash_rows(bars.prices),
        "n": len(bars.prices),
        "first_session": fetched["session"].iloc[0],
        "last_session": fetched["session"].iloc[-1],
        "vintage": fetched["vintage"].iloc[-1],
        "last_fetched_at": fetched["fetched_at"].max(),
        "restated_since": bool((raw["vintage"] > fetched["vintage"].iloc[-1]).any()),
        "last": [_plain(row) for _, row in fetched[shown].tail(_LAST_BARS).iterrows()],
    }


def _reproduction(
    model: StoredModel | None, bars: KnownBars | None, forecast: pd.Series, *sections: Section
) -> Section:
    if model is None or bars is None:
        return {"is_same": False, "problem": next(part["problem"] for part in sections if part.get("problem"))}
    try:
        made = reproduce(model, bars, forecast)
    except StockAssetsError as error:
        return {"is_same": False, "problem": str(error)}
    return {
        "is_same": made.is_same,
        "tolerance": made.tolerance,
        "largest_difference": made.largest_difference,
        "numbers": {str(name): {"then": row.then, "again": row.again} for name, row in made.numbers.iterrows()},
    }


def _runs(settings: Settings, forecast: pd.Series, fit: Section | None, bars: KnownBars | None, market: str) -> Section:
    """Run by what it did. Where the id was not written down, it is the first materialisation after the fact."""
    ticker, model = forecast["ticker"], forecast["model"]
    wanted = {
        "bars": ("raw_prices", None, bars.fetched["fetched_at"].max() if bars is not None else None),
        "fit": (f"model/{model}", fit["run_id"] if fit else None, fit["fitted_at"] if fit else None),
        "forecast": ("forecasts", _or_none(forecast["run_id"]), forecast["created_at"]),
    }
    looking: AbstractContextManager[dg.DagsterInstance | None] = nullcontext()  # looking makes nothing
    if settings.dagster_dir.is_dir():
        looking = open_instance(settings)
    with looking as instance:
        return {
            what: _run(instance, run_id or _maker(instance, asset, ticker, market, after))
            for what, (asset, run_id, after) in wanted.items()
        }


def _maker(
    instance: dg.DagsterInstance | None, asset: str, ticker: str, market: str, after: datetime | None
) -> str | None:
    """The first run after a moment that made the asset for the ticker."""
    if instance is None or after is None:
        return None
    wanted = dg.AssetRecordsFilter(
        asset_key=dg.AssetKey(asset.split("/")),
        # A home that was made before runs held many tickers has partitions of that name.
        asset_partitions=[market, ticker],
        after_timestamp=after.timestamp(),
    )
    records = instance.fetch_materializations(wanted, limit=_RUNS_ASKED, ascending=True).records
    return next((record.run_id for record in records if _is_about(record, ticker)), None)


def _is_about(record: dg.EventLogRecord, ticker: str) -> bool:
    event = record.asset_materialization
    if event is None:
        return False
    made = event.metadata.get("tickers")
    return event.partition == ticker or (made is not None and isinstance(made.value, list) and ticker in made.value)


def _run(instance: dg.DagsterInstance | None, run_id: str | None) -> Section | None:
    if run_id is None:
        return None
    record = instance.get_run_record_by_id(run_id) if instance is not None else None
    if record is None:  # pruned
        return {"run_id": run_id, "job": None, "status": None, "started_at": None}
    started = record.start_time or record.create_timestamp.timestamp()
    return {
        "run_id": run_id,
        "job": record.dagster_run.job_name,
        "status": record.dagster_run.status.value,
        "started_at": pd.Timestamp(started, unit="s", tz="UTC"),
    }


def _plain(row: pd.Series) -> Section:
    return {str(name): _or_none(value) for name, value in row.to_dict().items()}


def _or_none(value: Any) -> Any:
    return None if pd.isna(value) else value
