"""The forecast log: appended to, never edited, scored when the session has closed."""

from stock_assets.bodies import Made, OneTicker
from stock_assets.clock import Clock
from stock_assets.forecasting.forecasts import as_markdown, make_forecasts, score_forecasts
from stock_assets.forecasting.sessions import live_until
from stock_assets.forecasting.splits import LIVE
from stock_assets.lineage import Output, Read, lineage_asset
from stock_assets.plots import forecast_fan

GROUP = "6_forecasts"


@lineage_asset(
    Output(
        "forecasts",
        "forecasts",
        GROUP,
        "Every model's forecast for the exchange's next session, from its `final` fit. Live only when written before "
        "that session opened. A rerun on the same data and models adds nothing.",
    ),
    reads=["prices", Read("predictions", schemes=(LIVE,)), "models", "champion"],
    kinds=["pandas"],
)
def forecasts(one: OneTicker, clock: Clock) -> Made:
    """Log the newest live prediction of each model."""
    prices, calendar = one.read("prices"), one.calendar
    table = make_forecasts(
        one.read("predictions"),
        prices,
        one.read("models"),
        champion=one.read("champion").sort_values("decided_at")["model"].iloc[-1],
        existing=one.read("forecasts"),
        live_until=lambda session: live_until(calendar, session),
        created_at=clock.now(),
        run_id=one.run_id,
    )
    shown = {"forecasts": lambda: as_markdown(table)}
    if len(table):
        shown["fan"] = lambda: forecast_fan(prices, table)
    return Made({"forecasts": table}, notes=one.pictures(**shown), status="ok")


@lineage_asset(
    Output(
        "forecast_scores",
        "forecast_scores",
        GROUP,
        "What became of each forecast, once its session has a bar. A corrected bar appends a new score.",
    ),
    reads=["prices", "forecasts"],
    kinds=["pandas"],
)
def forecast_scores(one: OneTicker, clock: Clock) -> Made:
    """Score what can be scored and has not been."""
    existing = one.read("forecast_scores")
    table = score_forecasts(one.read("forecasts"), one.read("prices"), existing, scored_at=clock.now())
    return Made({"forecast_scores": table}, notes={"new_scores": len(table), "scored_before": len(existing)})
