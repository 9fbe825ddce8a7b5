"""The code location: a table of contents, in lineage order."""

import dagster as dg

from stock_assets.assets.audit import audit_asset
from stock_assets.assets.backtest import backtest_assets
from stock_assets.assets.calibration import calibration
from stock_assets.assets.champion import champion
from stock_assets.assets.drift import drift
from stock_assets.assets.economics import economics_asset
from stock_assets.assets.ensembles import ensemble_assets
from stock_assets.assets.evaluation import evaluation
from stock_assets.assets.features import features
from stock_assets.assets.forecasts import forecast_scores, forecasts
from stock_assets.assets.models import model_assets
from stock_assets.assets.pooled_evaluation import pooled_evaluation
from stock_assets.assets.prices import prices, raw_prices
from stock_assets.assets.splits import splits
from stock_assets.assets.volatility import volatility
from stock_assets.building import build_assets
from stock_assets.clock import Clock
from stock_assets.jobs import JOBS
from stock_assets.resources import BacktestSettings, ModelSettings, PriceSource, Tracking, Universe, Warehouse
from stock_assets.schedules import SCHEDULES, upkeep
from stock_assets.sensors import SENSORS
from stock_assets.sensors.freshness import fresh
from stock_assets.settings import quiet_libraries
from stock_assets.terminal import terminal_logger
from stock_assets.workers import Workers

quiet_libraries()

LINEAGE = (
    *(raw_prices, prices, features, splits, *model_assets, *ensemble_assets, volatility),
    *(*backtest_assets, evaluation, calibration, economics_asset, audit_asset, champion),
    *(forecasts, forecast_scores, drift),
)

defs = dg.Definitions(
    assets=[*build_assets(LINEAGE), pooled_evaluation],
    asset_checks=[fresh],
    jobs=[*JOBS, upkeep],
    schedules=SCHEDULES,
    sensors=SENSORS,
    resources={
        "warehouse": Warehouse(),
        "universe": Universe(),
        "workers": Workers(),
        "clock": Clock(),
        "price_source": PriceSource(),
        "model_settings": ModelSettings(),
        "tracking": Tracking(),
        "backtest_settings": BacktestSettings(),
    },
    executor=dg.in_process_executor,
    loggers={"terminal": terminal_logger, "console": dg.colored_console_logger},
)
