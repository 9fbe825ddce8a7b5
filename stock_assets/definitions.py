"""The code location: a table of contents, in lineage order."""

import dagster as dg

from stock_assets.assets.champion import champion
from stock_assets.assets.evaluation import evaluation
from stock_assets.assets.features import features
from stock_assets.assets.forecasts import forecast_scores, forecasts
from stock_assets.assets.models import model_assets
from stock_assets.assets.predictions import prediction_assets
from stock_assets.assets.prices import prices, raw_prices
from stock_assets.assets.splits import splits
from stock_assets.io import LakeIOManager
from stock_assets.jobs import JOBS
from stock_assets.resources import ModelSettings, PriceSource, Warehouse
from stock_assets.settings import quiet_libraries
from stock_assets.terminal import terminal_logger

quiet_libraries()

warehouse = Warehouse()

# Forked from a server that has loaded what nearly every step needs, a step starts twice as fast as a fresh interpreter.
_PRELOADED = ["stock_assets.definitions", "storage.publisher", "exchange_calendars"]
executor = dg.multiprocess_executor.configured(
    {"max_concurrent": 2, "start_method": {"forkserver": {"preload_modules": _PRELOADED}}}
)

defs = dg.Definitions(
    assets=[
        raw_prices,
        prices,
        features,
        splits,
        *model_assets,
        *prediction_assets,
        evaluation,
        champion,
        forecasts,
        forecast_scores,
    ],
    jobs=JOBS,
    resources={
        "io_manager": LakeIOManager(warehouse=warehouse),
        "warehouse": warehouse,
        "price_source": PriceSource(),
        "model_settings": ModelSettings(),
    },
    executor=executor,
    loggers={"terminal": terminal_logger, "console": dg.colored_console_logger},
)
