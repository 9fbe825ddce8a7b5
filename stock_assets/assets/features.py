"""What the models know at each close."""

import dagster as dg
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
    made = {}
    for ticker, rows in table.groupby("ticker"):
        refuse(findings[str(ticker)], subject=f"{ticker} features")
        made[str(ticker)] = Made({"features": rows.reset_index(drop=True)}, findings[str(ticker)], notes=_notes(rows))
    return made


def _notes(rows: pd.DataFrame) -> dict[str, object]:
    names = [feature.name for feature in FEATURES]
    return {
        "features": len(names),
        "labelled_rows": int(rows["target_log_return"].notna().sum()),
        "summary": dg.MetadataValue.md(rows[names].describe().T.round(4).to_markdown()),
    }
