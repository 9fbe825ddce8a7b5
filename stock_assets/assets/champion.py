"""Who is trusted: the random walk until a model proves better."""

from typing import Any

import pandas as pd

from stock_assets.bodies import Made, OneTicker
from stock_assets.clock import Clock
from stock_assets.forecasting.champion import decide, is_news
from stock_assets.forecasting.ensembles import model_names
from stock_assets.forecasting.reviews import outdated_backtests
from stock_assets.forecasting.splits import LIVE, WALK_FORWARD
from stock_assets.lineage import Output, lineage_asset
from stock_assets.resources import Tracking
from stock_assets.tracking.registry import next_best, sync_aliases
from stock_assets.tracking.store import TrackingUnavailable


@lineage_asset(
    Output(
        "champion",
        "champion",
        "5_evaluation",
        "The random walk until a model passes a monthly review of its walk-forward rows: Clark-West at 5 % (Holm over "
        "models), lower RMSE, 500 rows, honest intervals, clean audit. Every decision is kept with its reason.",
    ),
    reads=["evaluation", "calibration", "audit", "predictions", "models", "backtest_folds", "tuning_trials"],
    kinds=["pandas"],
)
def champion(one: OneTicker, tracking: Tracking, clock: Clock) -> Made:
    """Decide, and keep the decision if it says anything new."""
    fits, evaluation, earlier = fits_in_use(one), one.read("evaluation"), one.read("champion")
    versions = {str(model): str(version) for model, version in fits["version"].items()}
    decision = decide(
        evaluation,
        one.read("calibration"),
        one.read("audit"),
        earlier,
        predictions=one.read("predictions", scheme=WALK_FORWARD),
        ticker=one.ticker,
        versions=versions,
        promotable=[name for name in model_names() if fits["target"].get(name) != "price"],
        decided_at=clock.now(),
        outdated=outdated_backtests(
            versions,
            one.read("backtest_folds", model=list(versions)),
            tuned=set(one.read("tuning_trials")["model"]),
            ticker=one.ticker,
            store=one.store,
        ),
    )
    row = decision.iloc[0]
    _show_in_mlflow(one, tracking, row, fits["version"].get(next_best(evaluation, row["model"])))
    return Made(
        {"champion": decision if is_news(decision, earlier) else decision.iloc[:0]},
        notes={"champion": row["model"], "promoted": bool(row["promoted"]), "reason": row["reason"]},
    )


def _show_in_mlflow(one: OneTicker, tracking: Tracking, row: "pd.Series[Any]", challenger: str | None) -> None:
    try:
        missing = sync_aliases(tracking.store, one.ticker, champion=row["model_version"], challenger=challenger)
    except TrackingUnavailable as error:
        one.warn(f"@champion and @challenger are not brought up to date: {error}")
    else:
        if missing:
            one.warn(f"no registered version for @{', @'.join(missing)}: that fit was not tracked")


def fits_in_use(one: OneTicker) -> pd.DataFrame:
    """The fit that each model's newest live prediction came from, as rows of the table `models` indexed by model."""
    live = one.read("predictions", scheme=LIVE).sort_values("session").groupby("model").tail(1)
    fits = one.read("models")
    return fits[fits["version"].isin(live["model_version"])].drop_duplicates("model").set_index("model")
