"""Whether a backtest speaks for the final fit: by code, features and settings of both."""

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.forecasting.reviews import outdated_backtests
from tests.storage.frames import rows


@pytest.fixture
def store(boosted: Any, tmp_path: Path) -> ArtifactStore:
    """A store with fits that may be added to."""
    shutil.copytree(boosted[1].root, tmp_path / "models")
    return ArtifactStore(tmp_path / "models")


def outdated(boosted: Any, store: ArtifactStore, **changed: Any) -> dict[str, str]:
    """The answer where the newest fold's fit is the final one but for what is `changed`; an older fold's is another."""
    final, tuned = boosted[0].final, changed.pop("tuned", ())
    settings = final.manifest.settings | changed.pop("settings", {})
    walked = replace(final.manifest, kind="backtest", settings=settings, **changed)
    for version, manifest in (("newest", walked), ("older", replace(walked, code_version="of the first fold"))):
        store.save(replace(final, manifest=replace(manifest, version=version)))
    folds = rows("backtest_folds", 2, model="xgboost", fold=["wf_100", "wf_99"]).assign(
        model_version=["newest", "older"], test_start=pd.to_datetime(["2012-06-01", "2012-01-02"])
    )
    versions = {"xgboost": final.manifest.version, "random_walk": "has no backtest"}
    return outdated_backtests(versions, folds, tuned=tuned, ticker="GARCH", store=store)


def test_a_backtest_of_the_same_code_features_and_settings_is_up_to_date(boosted: Any, store: ArtifactStore) -> None:
    assert outdated(boosted, store) == {}


@pytest.mark.parametrize(
    ("changed", "difference"),
    [
        ({"code_version": "edited"}, "other code"),
        ({"features_version": "edited"}, "other feature formulas"),
        ({"settings": {"seed": 7, "target": "price"}}, "other seed, target"),
        ({"settings": {"max_depth": 9}}, "other max_depth"),
        ({"settings": {"seed": 7}, "tuned": {"xgboost"}}, "other seed"),
        ({"settings": {"a_setting_of_then": 1}, "code_version": "edited"}, "other code, a_setting_of_then"),
    ],
)
def test_what_has_changed_since_is_named(
    boosted: Any, store: ArtifactStore, changed: dict[str, Any], difference: str
) -> None:
    assert outdated(boosted, store, **changed) == {"xgboost": difference}


def test_settings_that_a_search_chooses_may_differ_where_there_was_one(boosted: Any, store: ArtifactStore) -> None:
    assert outdated(boosted, store, settings={"max_depth": 9}, tuned={"xgboost"}) == {}


def test_a_fit_that_cannot_be_read_proves_nothing(boosted: Any, store: ArtifactStore) -> None:
    folds = rows("backtest_folds", 1, model="xgboost", model_version="pruned")
    versions = {"xgboost": boosted[0].final.manifest.version}
    found = outdated_backtests(versions, folds, tuned=(), ticker="GARCH", store=store)
    assert found["xgboost"].startswith("a fit cannot be read: no model is stored in ")
