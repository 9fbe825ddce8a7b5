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
_EVERYTHING = dg.AssetSelection.all() - _BACKTEST - _AUDIT - _FRESH
_FITTING = ("lineage", "train", "backtest")

JOBS = tuple(
    dg.define_asset_job(
        name,
        selection,
        description=description,
        tags={FITS_TAG: "true"} if name in _FITTING else {},
        metadata={"home": str(load_settings().home)},  # by which a dashboard knows the Dagster of its own home
    )
    for name, selection, description in (
        ("lineage", _EVERYTHING, "From bars to forecast, training included."),
        ("fetch", _BARS, "New bars only."),
        ("train", _EVERYTHING - _BARS, "New splits, every model fitted and scored, a champion, forecasts."),
        ("forecast", _EVERYTHING - _SPLITS - _MODELS, "The daily update: new bars, stored models, no training."),
        (
            "backtest",
            _BACKTEST.downstream() - _FORECASTS,
            "Every model walked forward through the history at hand, scored, and the champion reviewed on it.",
        ),
        ("leak_audit", _AUDIT | dg.AssetSelection.assets("champion"), "Proofs that nothing stored saw the future."),
        ("drift_check", dg.AssetSelection.assets("drift"), "Newest inputs against those before."),
    )
)
lineage, fetch, train, forecast, backtest, audit, drift_check = JOBS
