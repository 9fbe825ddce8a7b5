"""What trading on the forecasts would have earned."""

from stock_assets.bodies import Made, OneTicker
from stock_assets.forecasting.economics import economics
from stock_assets.forecasting.ensembles import model_names
from stock_assets.forecasting.models import BENCHMARK
from stock_assets.forecasting.splits import LIVE, WALK_FORWARD
from stock_assets.lineage import Output, Read, lineage_asset


@lineage_asset(
    Output(
        "economics",
        "economics",
        "5_evaluation",
        "Long or flat by the sign of each forecast, traded at the next open with 5 basis points a side: return, Sharpe "
        "ratio with its standard error, deflated Sharpe ratio and drawdown, beside buying and holding.",
    ),
    reads=["prices", Read("predictions", schemes=(WALK_FORWARD, LIVE))],
    kinds=["pandas"],
)
def economics_asset(one: OneTicker) -> Made:
    """Trade what was said; without walk-forward rows only the live ones are traded."""
    trials = sum(name != BENCHMARK for name in model_names())
    table = economics(one.read("predictions"), one.read("prices"), ticker=one.ticker, trials=trials)
    if not (table["scheme"] == WALK_FORWARD).any():
        one.say("no walk-forward rows to trade yet; `stock-assets backtest` makes them")
    shown = table[["model", "scheme", "n", "net_return", "sharpe", "buy_and_hold_return", "verdict"]]
    return Made({"economics": table}, notes=one.pictures(economics=lambda: shown.round(3).to_markdown(index=False)))
