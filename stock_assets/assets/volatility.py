"""How large the next move may be: the methods of forecasting it, compared."""

from stock_assets.bodies import Made, OneTicker
from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.volatility_methods import as_markdown, score_volatility
from stock_assets.lineage import Output, lineage_asset


@lineage_asset(
    Output(
        "volatility",
        "volatility",
        "5_evaluation",
        "How well each method forecasts the variance of the next log return (QLIKE, against that of all earlier "
        "returns), and what it says now. The method that scales the intervals is marked.",
    ),
    reads=["prices", "features"],
    kinds=["pandas"],
)
def volatility(one: OneTicker) -> Made:
    """Score every method on the ticker's sessions."""
    table = score_volatility(build_history(one.read("prices"), one.read("features")), ticker=one.ticker)
    return Made({"volatility": table}, notes=one.pictures(methods=lambda: as_markdown(table)))
