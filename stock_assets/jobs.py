"""The jobs people and schedules start. Each is a part of the same lineage."""

import dagster as dg

_BARS = dg.AssetSelection.assets("raw_prices", "prices")
_MODELS = dg.AssetSelection.groups("3_models")
_SPLITS = dg.AssetSelection.assets("splits")
_EVERYTHING = dg.AssetSelection.all()

lineage = dg.define_asset_job("lineage", _EVERYTHING, description="From bars to forecast, training included.")
fetch = dg.define_asset_job("fetch", _BARS, description="New bars only.")
train = dg.define_asset_job(
    "train", _EVERYTHING - _BARS, description="New splits, every model fitted and scored, a champion, forecasts."
)
forecast = dg.define_asset_job(
    "forecast", _EVERYTHING - _SPLITS - _MODELS, description="The daily update: new bars, stored models, no training."
)

JOBS = (lineage, fetch, train, forecast)
