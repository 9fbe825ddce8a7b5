"""What the models know at each close."""

import dagster as dg

from stock_assets.bodies import Made, OneTicker
from stock_assets.forecasting.features import FEATURES, check_features, compute_features
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
)
def features(one: OneTicker) -> Made:
    """Compute every feature of the list and prove that none looks ahead."""
    prices = one.read("prices")
    table = compute_features(prices)
    findings = check_features(table, prices)
    refuse(findings, subject=f"{one.ticker} features")
    names = [feature.name for feature in FEATURES]
    return Made(
        {"features": table},
        findings,
        notes={
            "features": len(names),
            "labelled_rows": int(table["target_log_return"].notna().sum()),
            "summary": dg.MetadataValue.md(table[names].describe().T.round(4).to_markdown()),
        },
    )
