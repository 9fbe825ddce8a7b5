"""What runs without a person: one file per sensor. ADD A SENSOR = ADD ONE FILE HERE and name it below.

Decisions are pure functions of `stock_assets.forecasting`; a sensor gathers what they need and carries them out. All
run by default wherever a Dagster daemon runs.
"""

from stock_assets.sensors.champion_change import champion_change
from stock_assets.sensors.daily_update import daily_update
from stock_assets.sensors.dead_runs import dead_runs
from stock_assets.sensors.ending_calendars import ending_calendars
from stock_assets.sensors.failed_runs import failed_runs
from stock_assets.sensors.failed_tickers import failed_tickers
from stock_assets.sensors.freshness import freshness
from stock_assets.sensors.monthly_review import monthly_review
from stock_assets.sensors.new_tickers import new_tickers
from stock_assets.sensors.restated_history import restated_history
from stock_assets.sensors.retraining import retraining

SENSORS = (
    new_tickers,
    daily_update,
    restated_history,
    retraining,
    monthly_review,
    champion_change,
    freshness,
    ending_calendars,
    failed_runs,
    failed_tickers,
    dead_runs,
)
