"""Which fits an ensemble may be made of, and what is left out or refused."""

import shutil

import numpy as np
import pandas as pd
import pytest

from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.forecasting.backtest import run_backtest
from stock_assets.forecasting.combining import combine, combine_backtests
from stock_assets.forecasting.ensembles.ensemble_equal import EnsembleEqual
from stock_assets.forecasting.errors import NotTrained
from stock_assets.forecasting.features import compute_features
from stock_assets.forecasting.folds import Plan, plan_folds
from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.models.sarima import Sarima
from stock_assets.forecasting.splits import holdout_splits
from tests.forecasting.combined import MEMBERS
from tests.forecasting.conftest import NOW


def test_without_two_trained_members_there_is_no_ensemble_and_the_cure_is_said(
    garch_history, garch_splits, combined, tmp_path
):
    pattern = (
        r"ensemble_equal combines at least 2 models, and can use none \(.*random_forest: no random_forest has been "
        r"trained for GARCH .* — make them together \(stock-assets train without --models"
    )
    with pytest.raises(NotTrained, match=pattern):
        combine(
            EnsembleEqual(),
            garch_history,
            garch_splits,
            combined.said,
            ticker="GARCH",
            store=ArtifactStore(tmp_path),
            now=lambda: NOW,
        )


def test_a_member_that_was_never_trained_or_is_damaged_is_left_out_and_the_others_go_on(
    train_again, combine_again, combined, combined_store, garch_history, garch_splits
):
    train_again(Sarima())
    version = combined.fits["xgboost"].final.manifest.version
    (combined_store.folder("GARCH", "xgboost", version) / "model.ubj").write_bytes(b"")
    messages = []
    sarima = combined_store.load_current("GARCH", "sarima")
    from stock_assets.forecasting.predictions import predict_all

    said = pd.concat([combined.said, predict_all(sarima, garch_history, garch_splits, ticker="GARCH", calendar="XNYS")])
    made = combine_again(EnsembleEqual(), said=said, progress=messages.append)
    assert list(made.final.manifest.parents) == ["random_forest", "sarima"]
    assert any(message.startswith("without xgboost: ") and "model.ubj was changed" in message for message in messages)
    assert any(message.startswith("without lstm_keras: no lstm_keras has been trained") for message in messages)


def test_members_that_learned_from_other_rows_are_refused_with_both_spans(combine_again, combined, garch_prices):
    features = compute_features(garch_prices.iloc[:-40])
    moved = holdout_splits(features)
    pattern = r"random_forest: its fit \w+ learned from \S+ to \S+ and not from \S+ to \S+;"
    with pytest.raises(NotTrained, match=pattern):
        combine_again(EnsembleEqual(), build_history(garch_prices.iloc[:-40], features), moved, said=combined.said)


def test_members_that_learned_from_other_bars_are_refused(combine_again, combined, garch_history):
    restated = garch_history.assign(volume=garch_history["volume"] + 1)
    with pytest.raises(NotTrained, match=r"random_forest: its fit \w+ learned from other bars than these"):
        combine_again(EnsembleEqual(), history=restated, said=combined.said)


@pytest.fixture(scope="module")
def walked(garch_history, garch_features, tmp_path_factory):
    """Backtests of the members, the forest's second fold sharing the fit of the first, and their store."""
    store = ArtifactStore(tmp_path_factory.mktemp("walked"))
    plans = {"random_forest": Plan(refit_every=2), "xgboost": Plan()}
    parts = [
        run_backtest(MEMBERS[name], garch_history, plan_folds(garch_features, plan), **_where(store))
        for name, plan in plans.items()
    ]
    return pd.concat([part.folds for part in parts], ignore_index=True), parts, store


def _where(store):
    return {"ticker": "GARCH", "calendar": "XNYS", "store": store, "now": lambda: NOW}


@pytest.fixture
def walk(garch_history, garch_features, walked):
    def run(made=walked[0], plan=None, **changes):
        return combine_backtests(
            EnsembleEqual(),
            **({"history": garch_history, "folds": plan_folds(garch_features, plan or Plan())} | changes),
            made=made,
            predictions=pd.concat([part.predictions for part in walked[1]]),
            **_where(walked[2]),
        )

    return run


def test_each_fold_of_a_backtest_combines_the_fits_that_predicted_it(walk, walked):
    combined = walk()
    assert combined.folds["fold"].tolist() == ["wf_00", "wf_01", "wf_02"]
    assert combined.trials.empty
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


def test_a_fold_that_a_member_did_not_predict_is_refused_with_the_cure(walk, walked):
    folds = walked[0]
    missing = folds[~((folds["model"] == "xgboost") & (folds["fold"] == "wf_01"))]
    pattern = r"fold wf_01 from \d{4}-\S+, combines at least 2 models, and can use random_forest .* — make .*backtest"
    with pytest.raises(NotTrained, match=pattern):
        walk(made=missing)


def test_folds_of_another_plan_are_not_combined(walk):
    with pytest.raises(NotTrained, match=r"fold wf_00 from \S+ combines at least 2 models, and can use none"):
        walk(plan=Plan(first_train=380))


def test_a_fit_that_knows_later_sessions_than_the_fold_is_refused(walk, walked):
    folds = walked[0]
    boosted = (folds["model"] == "xgboost") & (folds["fold"] == "wf_00")
    newest = folds.loc[(folds["model"] == "xgboost"), "model_version"].iloc[-1]
    leaky = folds.assign(model_version=folds["model_version"].mask(boosted, newest))
    with pytest.raises(NotTrained, match=r"xgboost: its fit \w+ learned from \S+ to \S+ and not from"):
        walk(made=leaky)


def test_evaluated_fits_are_not_combined_into_a_backtest(walk, walked, combined):
    folds, _, store = walked
    version = combined.fits["random_forest"].evaluated.manifest.version
    shutil.copytree(
        combined.store.folder("GARCH", "random_forest", version), store.folder("GARCH", "random_forest", version)
    )
    other = folds.assign(model_version=folds["model_version"].mask(folds["model"] == "random_forest", version))
    with pytest.raises(NotTrained, match=r"is of kind evaluated and not backtest.* — make .*stock-assets backtest"):
        walk(made=other)


def test_a_rolling_backtest_is_combined_too(garch_history, garch_features, tmp_path):
    store = ArtifactStore(tmp_path)
    plans = {"random_forest": Plan(window="rolling", refit_every=2), "xgboost": Plan(window="rolling")}
    parts = [
        run_backtest(MEMBERS[name], garch_history, plan_folds(garch_features, plan), **_where(store))
        for name, plan in plans.items()
    ]
    folds = plan_folds(garch_features, Plan(window="rolling"))
    combined = combine_backtests(
        EnsembleEqual(),
        garch_history,
        folds,
        made=pd.concat([part.folds for part in parts]),
        predictions=pd.concat([part.predictions for part in parts]),
        **_where(store),
    )
    assert len(combined.folds) == len(folds)
    assert combined.folds["model_version"].nunique() == len(folds)
