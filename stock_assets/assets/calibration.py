"""Whether the intervals keep their promise."""

from stock_assets.bodies import Made, OneTicker
from stock_assets.forecasting.calibration import as_markdown, calibrate, pit_histogram
from stock_assets.forecasting.evaluation import on_current_splits, on_equal_folds
from stock_assets.lineage import Output, lineage_asset

GROUP = "5_evaluation"


@lineage_asset(
    Output(
        "calibration",
        "calibration",
        GROUP,
        "Coverage of every model's intervals with its 95 % interval and tests (Kupiec, Christoffersen), width, pinball "
        "loss beside an unconditional random walk's, coverage by volatility.",
    ),
    Output(
        "pit_histogram", "pit_histogram", GROUP, "Where in its predicted distribution each outcome lay, in ten parts."
    ),
    reads=["prices", "features", "splits", "predictions"],
    kinds=["pandas"],
)
def calibration(one: OneTicker) -> Made:
    """Score the intervals of the rows that the evaluation scores."""
    # The evaluation names those that are left out here.
    current, _ = on_current_splits(one.read("predictions"), one.read("splits"), one.read("features"))
    predictions, _ = on_equal_folds(current)
    table = calibrate(predictions, one.read("prices"))
    return Made(
        {"calibration": table, "pit_histogram": pit_histogram(predictions)},
        notes=one.pictures(intervals_90=lambda: as_markdown(table)),
    )
