"""Which fits an ensemble may be made of, and what is refused."""

import shutil

import numpy as np
import pandas as pd
import pytest

from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.forecasting.backtest import Plan, plan_folds, run_backtest
from stock_assets.forecasting.errors import NotTrained
from stock_assets.forecasting.features import compute_features
from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.models.ensemble_equal import EnsembleEqual
from stock_assets.forecasting.models.random_walk import RandomWalk
from stock_assets.forecasting.splits import holdout_splits
from stock_assets.forecasting.training import fit_fold, train
from tests.forecasting.combined import PARENTS
from tests.forecasting.conftest import NOW

pytestmark = pytest.mark.usefixtures("two_parents")


def test_a_parent_that_was_never_trained_is_refused_with_the_cure(garch_history, garch_splits, tmp_path):
    empty = ArtifactStore(tmp_path)
    pattern = (
        r"ensemble_equal combines random_forest, whose evaluated fit cannot be used: no random_forest has been trained "
        r"for GARCH .* — make all of them together \(stock-assets train --models random_forest,xgboost,ensemble_equal\)"
    )
    with pytest.raises(NotTrained, match=pattern):
        train(EnsembleEqual(), garch_history, garch_splits, ticker="GARCH", store=empty, now=lambda: NOW)


def test_parents_that_learned_from_other_rows_are_refused_with_both_spans(train_again, garch_prices):
    features = compute_features(garch_prices.iloc[:-40])
    moved = holdout_splits(features)
    pattern = r"combines random_forest, whose fit \w+ learned from \S+ to \S+ and not from \S+ to \S+ — make all"
    with pytest.raises(NotTrained, match=pattern):
        train_again(EnsembleEqual(), history=build_history(garch_prices.iloc[:-40], features), splits=moved)


def test_parents_that_learned_from_other_bars_are_refused(train_again, garch_history):
    restated = garch_history.assign(volume=garch_history["volume"] + 1)
    with pytest.raises(NotTrained, match=r"combines random_forest, whose fit \w+ learned from other bars than these"):
        train_again(EnsembleEqual(), history=restated)


def test_a_fold_cannot_be_fitted_without_its_parents(garch_history, combined_store):
    with pytest.raises(NotTrained, match=r"combines fits of random_forest, xgboost, and was given none"):
        fit_fold(
            EnsembleEqual(), garch_history, np.arange(60, 560), ticker="GARCH", store=combined_store, now=lambda: NOW
        )


@pytest.fixture(scope="module")
def walked(two_parents, garch_history, garch_features, tmp_path_factory):
    """Backtests of the parents, the forest's second fold sharing the fit of the first, and their store."""
    store = ArtifactStore(tmp_path_factory.mktemp("walked"))
    plans = {"random_forest": Plan(refit_every=2), "xgboost": Plan()}
    parts = [
        run_backtest(PARENTS[name], garch_history, plan_folds(garch_features, plan), **_where(store))
        for name, plan in plans.items()
    ]
    return pd.concat([part.folds for part in parts], ignore_index=True), parts, store


def _where(store):
    return {"ticker": "GARCH", "calendar": "XNYS", "store": store, "now": lambda: NOW}


@pytest.fixture
def walk(garch_history, garch_features, walked):
    def run(parents=walked[0], plan=None, **changes):
        return run_backtest(
            EnsembleEqual(),
            **({"history": garch_history, "folds": plan_folds(garch_features, plan or Plan())} | changes),
            parents=parents,
            **_where(walked[2]),
        )

    return run


def test_each_fold_of_a_backtest_combines_the_fits_that_predicted_it(walk, walked):
    combined = walk()
    assert combined.folds["fold"].tolist() == ["wf_00", "wf_01", "wf_02"]
    _, (forest, boosted), store = walked
    raw = []
    for row in combined.folds.itertuples():
        stored = store.load("GARCH", "ensemble_equal", row.model_version)
        made = [part.folds.set_index("fold").loc[row.fold, "model_version"] for part in (forest, boosted)]
        assert list(stored.manifest.parents.values()) == made
        raw.append(stored.manifest.shrink)
    mean = (forest.predictions["predicted_log_return"] + boosted.predictions["predicted_log_return"]) / 2
    shrink = combined.predictions["fold"].map(dict(zip(combined.folds["fold"], raw, strict=True)))
    np.testing.assert_allclose(combined.predictions["predicted_log_return"], shrink * mean, rtol=0, atol=1e-12)
    assert combined.predictions["target_session"].equals(forest.predictions["target_session"])


def test_a_fold_that_a_parent_did_not_predict_is_refused_with_the_cure(walk, walked):
    folds = walked[0]
    missing = folds[~((folds["model"] == "xgboost") & (folds["fold"] == "wf_01"))]
    pattern = r"combines xgboost, which has no backtest with a fold wf_01 from \d{4}-\S+ — make .*stock-assets backtest"
    with pytest.raises(NotTrained, match=pattern):
        walk(parents=missing)


def test_folds_of_another_plan_are_not_combined(walk):
    with pytest.raises(NotTrained, match=r"random_forest, which has no backtest with a fold wf_00 from"):
        walk(plan=Plan(first_train=380))


def test_a_fit_that_knows_later_sessions_than_the_fold_is_refused(walk, walked):
    folds = walked[0]
    boosted = (folds["model"] == "xgboost") & (folds["fold"] == "wf_00")
    newest = folds.loc[(folds["model"] == "xgboost"), "model_version"].iloc[-1]
    leaky = folds.assign(model_version=folds["model_version"].mask(boosted, newest))
    with pytest.raises(NotTrained, match=r"combines xgboost, whose fit \w+ learned from \S+ to \S+ and not from"):
        walk(parents=leaky)


def test_evaluated_fits_are_not_combined_into_a_backtest(walk, walked, fits, combined):
    folds, _, store = walked
    version = fits["random_forest"].evaluated.manifest.version
    shutil.copytree(
        combined[1].folder("GARCH", "random_forest", version), store.folder("GARCH", "random_forest", version)
    )
    other = folds.assign(model_version=folds["model_version"].mask(folds["model"] == "random_forest", version))
    with pytest.raises(NotTrained, match=r"is of kind evaluated and not backtest — make .*stock-assets backtest"):
        walk(parents=other)


def test_a_rolling_backtest_is_combined_too(garch_history, garch_features, tmp_path):
    store = ArtifactStore(tmp_path)
    plans = {"random_forest": Plan(window="rolling", refit_every=2), "xgboost": Plan(window="rolling")}
    made = pd.concat(
        run_backtest(PARENTS[name], garch_history, plan_folds(garch_features, plan), **_where(store)).folds
        for name, plan in plans.items()
    )
    folds = plan_folds(garch_features, Plan(window="rolling"))
    combined = run_backtest(EnsembleEqual(), garch_history, folds, parents=made, **_where(store))
    assert len(combined.folds) == len(folds)
    assert combined.folds["model_version"].nunique() == len(folds)


def test_a_model_without_parents_ignores_the_folds_of_others(garch_history, garch_features, walked, tmp_path):
    folds = plan_folds(garch_features, Plan())
    walk = run_backtest(RandomWalk(), garch_history, folds, parents=walked[0], **_where(ArtifactStore(tmp_path)))
    assert (walk.predictions["predicted_log_return"] == 0).all()
