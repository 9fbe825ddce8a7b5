"""Whose fit a decision is about: the one that speaks now, not the one that was fitted last."""

from dataclasses import replace
from typing import Any

import pandas as pd
import pytest

from stock_assets.assets.champion import fits_in_use
from stock_assets.bodies import Made, OneTicker
from stock_assets.runs import Work
from storage.lake import Lake
from tests.assets.conftest import SMALL, Desk
from tests.assets.made_up import made, run, step
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


def in_use(desk: Desk, ticker: str = "AAPL") -> pd.DataFrame:
    """What a step would find of a ticker."""
    found: list[pd.DataFrame] = []

    def body(one: OneTicker) -> Made:
        found.append(fits_in_use(one))
        return made(one, "audit")

    assert run(desk, step(body, "audit", reads=["predictions", "models"]), tickers=[ticker]).success
    return found[0]


@pytest.mark.parametrize("live_by", ["xgboost-a", "xgboost-b"])
def test_the_fit_in_use_is_the_one_the_newest_live_prediction_came_from(desk: Desk, live_by: str) -> None:
    lake_with(desk.lake, live_by)
    assert in_use(desk)["version"].to_dict() == {"xgboost": live_by}


@pytest.mark.parametrize(("live_by", "target"), [("xgboost-a", "price"), ("xgboost-b", "log_return")])
def test_the_target_is_that_of_the_fit_in_use(desk: Desk, live_by: str, target: str) -> None:
    lake_with(desk.lake, live_by, targets=("price", "log_return"))
    assert in_use(desk)["target"].to_dict() == {"xgboost": target}


def test_a_model_without_a_stored_fit_without_live_rows_or_that_is_gone_is_not_in_use(desk: Desk) -> None:
    lake = lake_with(lake_with(desk.lake, "xgboost-a"), "deleted_model-a", model="deleted_model")
    lake_with(lake, "never stored", model="sarima")
    lake.write("models", rows("models", 2, model="random_forest"), ticker="AAPL", model="random_forest")
    assert in_use(desk).index.tolist() == ["xgboost"]
    assert in_use(desk, "IBM").empty


def _with_settings(work: Work, **settings: Any) -> Work:
    resources = dict(work.run_config["resources"])
    resources["model_settings"] = {"config": resources["model_settings"]["config"] | settings}
    return replace(work, run_config=work.run_config | {"resources": resources})


@pytest.mark.slow
def test_a_backtest_of_other_settings_promotes_nobody(own_desk: Desk) -> None:
    work = _with_settings(own_desk.plan("AAPL", job="backtest"), seed=1, target="price")
    assert own_desk.execute(work).reason is None
    reason = own_desk.lake.read("champion").sort_values("decided_at")["reason"].iloc[-1]
    assert "its backtest is not of the model in use (other " in reason
    assert "seed, subsample, target; `stock-assets backtest` makes it again)" in reason


@pytest.mark.slow
def test_settings_that_come_back_are_used_and_said_again(own_desk: Desk) -> None:
    """Settings A, B, A: the third run fits nothing, and its forecasts, champion and fits in use are A's again."""
    desk = own_desk

    def made_with(seed: int, target: str = "log_return") -> str:
        assert desk.execute(_with_settings(desk.plan("AAPL"), seed=seed, target=target)).reason is None
        return str(in_use(desk).loc["xgboost", "version"])

    first = str(in_use(desk).loc["xgboost", "version"])
    second = made_with(seed=1)
    assert made_with(seed=0) == first != second
    log = desk.lake.read("forecasts", model="xgboost").sort_values("created_at")
    assert log["model_version"].tolist() == [first, second, first]
    assert len(desk.lake.read("models", model="xgboost", kind="final")) == 2
    walks = desk.lake.read("forecasts", model="random_walk").sort_values("created_at")
    newest = desk.lake.read("champion").sort_values("decided_at")
    assert newest["model_version"].iloc[-1] == walks["model_version"].iloc[-1]

    made_with(seed=0, target="price")
    decisions = desk.lake.read("champion").sort_values("decided_at")
    assert decisions["reason"].iloc[-1].startswith("The random walk stays: there is no walk-forward evidence")
    assert in_use(desk)["target"].to_dict() == dict.fromkeys(SMALL, "price")
