"""Whether the models still look at what they were trained on."""

import dagster as dg
import pandas as pd

from stock_assets.clock import Clock
from stock_assets.drift_reports import DriftWorkspace
from stock_assets.forecasting.drift import OF, drifted_sessions, measure_drift
from stock_assets.forecasting.forecasts import with_actuals
from stock_assets.lineage import lineage_asset
from stock_assets.resources import Warehouse
from stock_assets.settings import load_settings

KEPT_SESSIONS = 250


@lineage_asset(
    key=["drift"],
    table="drift",
    group="7_monitoring",
    kinds={"evidently"},
    description="Distance of each feature's newest 40 sessions from the 1,000 before, and the distance that blocks of "
    "sessions reach without any change. Drifted and pinned tickers get Evidently reports.",
    ins={"features": dg.AssetIn("features")},
    deps=[dg.AssetKey("forecast_scores")],
)
def drift(
    context: dg.AssetExecutionContext, features: pd.DataFrame, warehouse: Warehouse, clock: Clock
) -> dg.MaterializeResult[pd.DataFrame]:
    """Check the newest session, and keep the checks of a year."""
    ticker = context.partition_key
    check = measure_drift(features, checked_at=clock.now())
    earlier = warehouse.lake.read("drift", ticker=ticker)
    # One check per session: the same session checked again replaces what was said before.
    kept = earlier[~earlier["current_end"].isin(check["current_end"])]
    newest = sorted(kept["current_end"].unique())[-KEPT_SESSIONS + 1 :]
    table = pd.concat([kept[kept["current_end"].isin(newest)], check], ignore_index=True)
    flags = drifted_sessions(table)
    is_drifted = bool(len(check)) and bool(flags.iloc[-1])
    written = _report(warehouse, ticker, features, check) if is_drifted or _is_pinned(ticker, check) else []
    return dg.MaterializeResult(
        value=table,
        metadata={
            "drifted_features": ", ".join(check["feature"][check["drifted"]]) or "none",
            "inputs_drifted": is_drifted,
            f"drifted_of_newest_{OF}_sessions": int(flags.tail(OF).sum()),
            "evidently_reports": ", ".join(written) or "none",
        },
    )


def _is_pinned(ticker: str, check: pd.DataFrame) -> bool:
    return bool(len(check)) and ticker in load_settings().pinned


def _report(warehouse: Warehouse, ticker: str, features: pd.DataFrame, check: pd.DataFrame) -> list[str]:
    workspace = DriftWorkspace(warehouse.path / "evidently")
    written = [workspace.report_inputs(ticker, features, check)]
    live, tested = _errors_of_champion(warehouse, ticker)
    if len(live) > 1 and len(tested) > 1:
        session = features["session"].max()
        written.append(workspace.report_predictions(ticker, live, tested, session=session))
    return written


def _errors_of_champion(warehouse: Warehouse, ticker: str) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Predicted and actual closes of the champion: live forecasts, and holdout test rows."""
    lake = warehouse.lake
    model = lake.read("champion", ticker=ticker).sort_values("decided_at")["model"].iloc[-1]
    forecasts = lake.read("forecasts", ticker=ticker, model=model, is_live=True)
    scores = lake.read("forecast_scores", ticker=ticker, model=model)
    tested = lake.read("predictions", ticker=ticker, model=model, scheme="holdout", role="test")
    return with_actuals(forecasts, scores), tested[tested["actual"].notna()]
