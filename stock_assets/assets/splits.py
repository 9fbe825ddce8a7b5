"""Which session plays which role. Frozen until retraining is asked for."""

from stock_assets.bodies import Made, OneTicker
from stock_assets.forecasting.findings import refuse
from stock_assets.forecasting.splits import check_splits, holdout_splits
from stock_assets.lineage import Output, lineage_asset


@lineage_asset(
    Output(
        "splits",
        "splits",
        "2_features",
        "Train, validation and test by session (80/10/10), one session purged at each boundary. Materialising it moves "
        "the boundaries: do so only to retrain.",
    ),
    reads=["features"],
    kinds=["pandas"],
)
def splits(one: OneTicker) -> Made:
    """Give every session its role."""
    features = one.read("features")
    table = holdout_splits(features)
    findings = check_splits(table, features)
    refuse(findings, subject=f"{one.ticker} splits")
    spans = table.groupby("role")["session"].agg(["count", "min", "max"]).sort_values("min")
    return Made({"splits": table}, findings, notes=one.pictures(roles=spans.to_markdown))
