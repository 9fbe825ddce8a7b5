"""Whether the models still look at what they were trained on."""

import pandas as pd

from stock_assets.bodies import Made, OneTicker
from stock_assets.clock import Clock
from stock_assets.drift_reports import DriftWorkspace
from stock_assets.forecasting.drift import OF, drifted_sessions, measure_drift
from stock_assets.forecasting.forecasts import with_actuals
from stock_assets.forecasting.splits import HOLDOUT
from stock_assets.lineage import Output, Read, lineage_asset
from stock_assets.settings import load_settings

KEPT_SESSIONS = 250


@lineage_asset(
    Output(
        "drift",
        "drift",
        "7_monitoring",
        "Distance of each feature's newest 40 sessions from the 1,000 before, and the distance that blocks of sessions "
        "reach without any change. Drifted and pinned tickers get Evidently reports.",
    ),
    reads=["features", "champion", "forecasts", "forecast_scores", Read("predictions", schemes=(HOLDOUT,))],
    kinds=["evidently"],
)
def drift(one: OneTicker, clock: Clock) -> Made:
    """Check the newest session, and keep the checks of a year."""
    features = one.read("features")
    check = measure_drift(features, checked_at=clock.now())
    earlier = one.read("drift")
    earlier = earlier[~earlier["current_end"].isin(check["current_end"])]  # a session checked again is replaced
    newest = sorted(earlier["current_end"].unique())[-KEPT_SESSIONS + 1 :]
    table = pd.concat([earlier[earlier["current_end"].isin(newest)], check], ignore_index=True)
    flags = drifted_sessions(table)
    is_drifted = bool(len(check)) and bool(flags.iloc[-1])
    is_pinned = bool(len(check)) and one.ticker in load_settings().pinned
    written = _report(one, features, check) if is_drifted or is_pinned else []
    return Made(
        {"drift": table},
        notes={
            "drifted_features": ", ".join(check["feature"][check["drifted"]]) or "none",
            "inputs_drifted": is_drifted,
            f"drifted_of_newest_{OF}_sessions": int(flags.tail(OF).sum()),
            "evidently_reports": ", ".join(written) or "none",
        },
    )


def _report(one: OneTicker, features: pd.DataFrame, check: pd.DataFrame) -> list[str]:
    workspace = DriftWorkspace(one.home / "evidently")
    written = [workspace.report_inputs(one.ticker, features, check)]
    # Predicted and actual closes of the champion.
    model = one.read("champion").sort_values("decided_at")["model"].iloc[-1]
    live = with_actuals(one.read("forecasts", model=model, is_live=True), one.read("forecast_scores", model=model))
    tested = one.read("predictions", model=model, role="test").dropna(subset="actual")
    if len(live) > 1 and len(tested) > 1:
        session = features["session"].max()
        written.append(workspace.report_predictions(one.ticker, live, tested, session=session))
    return written
