"""The jobs people and schedules start. Each is a part of the same lineage."""

import dagster as dg

from stock_assets.settings import load_settings
from stock_assets.workers import FITS_TAG

# Looked at by a sensor, by the clock: right after a fetch it says nothing.
_FRESH = dg.AssetSelection.checks(dg.AssetCheckKey(dg.AssetKey("prices"), "fresh"))
_BARS = dg.AssetSelection.assets("raw_prices", "prices") - _FRESH
_MODELS = dg.AssetSelection.groups("3_models")
_SPLITS = dg.AssetSelection.assets("splits")
_BACKTEST = dg.AssetSelection.groups("4_backtest")
_AUDIT = dg.AssetSelection.groups("5_audit")
_FORECASTS = dg.AssetSelection.groups("6_forecasts", "7_monitoring")
# What follows a backtest reads the last one there is, so it need not be run again with everything else.
_FITS = {FITS_TAG: "true"}
_EVERYTHING = dg.AssetSelection.all() - _BACKTEST - _AUDIT - _FRESH

lineage = dg.define_asset_job(
    "lineage",
    _EVERYTHING,
    description="From bars to forecast, training included.",
    tags=_FITS,
    metadata={"home": str(load_settings().home)},  # by which a dashboard knows the Dagster of its own home
)
fetch = dg.define_asset_job("fetch", _BARS, description="New bars only.")
train = dg.define_asset_job(
    "train",
    _EVERYTHING - _BARS,
    description="New splits, every model fitted and scored, a champion, forecasts.",
    tags=_FITS,
)
forecast = dg.define_asset_job(
    "forecast", _EVERYTHING - _SPLITS - _MODELS, description="The daily update: new bars, stored models, no training."
)
backtest = dg.define_asset_job(
    "backtest",
    _BACKTEST.downstream() - _FORECASTS,
    description="Every model walked forward through the history at hand, scored, and the champion reviewed on it.",
    tags=_FITS,
)

audit = dg.define_asset_job(
    "leak_audit",
    _AUDIT | dg.AssetSelection.assets("champion"),
    description="Proofs that nothing stored saw the future.",
)
drift_check = dg.define_asset_job(
    "drift_check", dg.AssetSelection.assets("drift"), description="Newest inputs against those before."
)

JOBS = (lineage, fetch, train, forecast, backtest, audit, drift_check)
