"""Whose fit is in use: the one that speaks now, not the one that was fitted last."""

from pathlib import Path

import pytest

from stock_assets.assets.champion import fits_in_use
from stock_assets.runs import Options, Work, execute, plan
from storage.lake import Lake
from tests.assets.conftest import SMALL, Desk
from tests.storage.frames import rows


def lake_with(lake: Lake, live_by: str, model: str = "xgboost", targets: tuple[str, str] = ("log_return",) * 2) -> Lake:
    """Two final fits of `model`, a and b, b fitted later; the newest live prediction is of fit `live_by`."""
    a, b = f"{model}-a", f"{model}-b"
    lake.write(
        "models",
        rows("models", 2, model=model, version=[a, b], kind="final", target=list(targets)),
        ticker="AAPL",
        model=model,
    )
    lake.write(
        "predictions",
        rows("predictions", 2, model=model, scheme="live", fold="live").assign(
            model_version=[b if live_by == a else a, live_by]  # the older live row is by the other fit
        ),
        ticker="AAPL",
        model=model,
        scheme="live",
    )
    holdout = rows("predictions", 3, model=model, fold="holdout", model_version=f"{model}-evaluated")
    lake.write("predictions", holdout, ticker="AAPL", model=model, scheme="holdout")  # newer than the live ones
    return lake


@pytest.mark.parametrize("live_by", ["xgboost-a", "xgboost-b"])
def test_the_fit_in_use_is_the_one_the_newest_live_prediction_came_from(tmp_path: Path, live_by: str) -> None:
    fits = fits_in_use(lake_with(Lake(tmp_path), live_by), "AAPL")
    assert fits["version"].to_dict() == {"xgboost": live_by}


@pytest.mark.parametrize(("live_by", "target"), [("xgboost-a", "price"), ("xgboost-b", "log_return")])
def test_the_target_is_that_of_the_fit_in_use(tmp_path: Path, live_by: str, target: str) -> None:
    fits = fits_in_use(lake_with(Lake(tmp_path), live_by, targets=("price", "log_return")), "AAPL")
    assert fits["target"].to_dict() == {"xgboost": target}


def test_a_model_without_a_stored_fit_without_live_rows_or_that_is_gone_is_not_in_use(tmp_path: Path) -> None:
    lake = lake_with(lake_with(Lake(tmp_path), "xgboost-a"), "deleted_model-a", model="deleted_model")
    lake_with(lake, "never stored", model="sarima")
    lake.write("models", rows("models", 2, model="random_forest"), ticker="AAPL", model="random_forest")
    assert fits_in_use(lake, "AAPL").index.tolist() == ["xgboost"]
    assert fits_in_use(lake, "IBM").empty


@pytest.mark.slow
def test_a_backtest_of_other_settings_promotes_nobody(desk: Desk) -> None:
    assert desk.run("AAPL").reason is None
    [work] = plan("backtest", ["AAPL"], Options(source="sample", fast=True, models=SMALL))
    config = work.run_config
    config["resources"]["model_settings"]["config"] |= {"seed": 1, "target": "price"}
    assert execute(desk.instance, desk.settings, Work("AAPL", work.assets, config)).reason is None
    reason = desk.lake.read("champion").sort_values("decided_at")["reason"].iloc[-1]
    assert "its backtest is not of the model in use (other " in reason
    assert "seed, subsample, target; `stock-assets backtest` makes it again)" in reason


@pytest.mark.slow
def test_settings_that_come_back_are_used_and_said_again(desk: Desk) -> None:
    """Settings A, B, A: the third run fits nothing, and its forecasts, champion and fits in use are A's again."""

    def run(seed: int, target: str = "log_return") -> str:
        [work] = plan("lineage", ["AAPL"], Options(source="sample", fast=True, models=SMALL))
        config = work.run_config
        config["resources"]["model_settings"]["config"] |= {"seed": seed, "target": target}
        assert execute(desk.instance, desk.settings, Work("AAPL", work.assets, config)).reason is None
        return str(fits_in_use(desk.lake, "AAPL").loc["xgboost", "version"])

    first = run(seed=0)
    second = run(seed=1)
    assert run(seed=0) == first != second
    log = desk.lake.read("forecasts", model="xgboost").sort_values("created_at")
    assert log["model_version"].tolist() == [first, second, first]
    assert len(desk.lake.read("models", model="xgboost", kind="final")) == 2
    walks = desk.lake.read("forecasts", model="random_walk")
    assert desk.lake.read("champion")["model_version"].iloc[-1] == walks["model_version"].iloc[-1]

    run(seed=0, target="price")
    decisions = desk.lake.read("champion").sort_values("decided_at")
    assert decisions["reason"].iloc[-1].startswith("The random walk stays: there is no walk-forward evidence")
    assert fits_in_use(desk.lake, "AAPL")["target"].to_dict() == dict.fromkeys(SMALL, "price")
