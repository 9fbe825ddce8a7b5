"""What the models know at each close."""

from functools import partial

import pandas as pd

from stock_assets.bodies import Made, Tickers
from stock_assets.forecasting.features import FEATURES, compute_features
from stock_assets.forecasting.features_check import check_features
from stock_assets.forecasting.findings import refuse
from stock_assets.lineage import Output, lineage_asset


@lineage_asset(
    Output(
        "features",
        "features",
        "2_features",
        "Stationary features known at each close, and the next session's log return as target. One SQL pass.",
    ),
    reads=["prices"],
    kinds=["sql"],
    at_once=50,
)
def features(some: Tickers) -> dict[str, Made]:
    """Compute every feature of the list for several tickers at once, and prove that none looks ahead."""
    prices = some.read("prices")
    table = compute_features(prices)
    findings = check_features(table, prices)
    of_ticker = dict(iter(table.groupby("ticker")))
    made = {}
    for one in some.ones:
        if one.ticker in of_ticker:
            rows, found = of_ticker[one.ticker].reset_index(drop=True), findings[one.ticker]
            refuse(found, subject=f"{one.ticker} features")
            counts = {"features": len(FEATURES), "labelled_rows": int(rows["target_log_return"].notna().sum())}
            made[one.ticker] = Made({"features": rows}, found, counts | one.pictures(summary=partial(_summary, rows)))
    return made


def _summary(rows: pd.DataFrame) -> str:
    return str(rows[[feature.name for feature in FEATURES]].describe().T.round(4).to_markdown())
