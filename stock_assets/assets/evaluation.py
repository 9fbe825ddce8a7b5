"""Scores of every model, the random walk on the same rows beside them."""

from stock_assets.bodies import Made, OneTicker
from stock_assets.forecasting.evaluation import as_markdown, evaluate, on_current_splits, on_equal_folds, scale_mae
from stock_assets.lineage import Output, lineage_asset


@lineage_asset(
    Output(
        "evaluation",
        "evaluation",
        "5_evaluation",
        "RMSE, MAE, MAPE, MASE, CRPS, skill with its bootstrap interval and what could be detected, direction, tests "
        "of Clark-West, Diebold-Mariano and Pesaran-Timmermann, Model Confidence Set, coverage and width of every "
        "model, scheme and role, on rows identical to the random walk's.",
    ),
    reads=["prices", "features", "splits", "predictions"],
    kinds=["pandas"],
)
def evaluation(one: OneTicker) -> Made:
    """Score the predictions that belong to the current splits."""
    splits = one.read("splits")
    current, outdated = on_current_splits(one.read("predictions"), splits, one.read("features"))
    predictions, unequal = on_equal_folds(current)
    if outdated:
        one.warn(f"not scored, since they predate the current splits: {', '.join(outdated)}")
    if unequal:
        one.warn(f"not scored walk-forward, folds or outcomes are not the random walk's: {', '.join(unequal)}")
    scale = scale_mae(one.read("prices"), splits)
    table = evaluate(predictions, scale_mae=scale, earlier=one.read("evaluation"))
    return Made({"evaluation": table}, notes=one.pictures(leaderboard=lambda: as_markdown(table)))
