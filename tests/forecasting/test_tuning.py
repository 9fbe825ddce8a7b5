"""The search for settings: what it tries, what it may look at, and that it goes on where it was."""

import json
import shutil
from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from stock_assets.forecasting import tuning
from stock_assets.forecasting.artifacts import ArtifactStore
from stock_assets.forecasting.backtest import run_backtest
from stock_assets.forecasting.errors import ArtifactMismatch
from stock_assets.forecasting.folds import Plan, plan_folds
from stock_assets.forecasting.models import discover
from stock_assets.forecasting.models.lstm_pytorch import LstmPytorch
from stock_assets.forecasting.models.random_forest import RandomForest
from stock_assets.forecasting.models.random_walk import RandomWalk
from stock_assets.forecasting.models.xgboost import XGBoost
from stock_assets.forecasting.training import train
from stock_assets.forecasting.tuning import draw, search, train_rows
from storage.contracts import conform
from storage.tables import TABLES

NOW = datetime(2012, 10, 1, 12, tzinfo=UTC)
ROWS = np.arange(60, 460)


@pytest.fixture
def store(tmp_path):
    return ArtifactStore(tmp_path)


@pytest.fixture
def find(garch_history, store):
    def searching(forecaster=None, history=garch_history, rows=ROWS, budget=3, **options):
        forecaster = forecaster or XGBoost(seed=3)
        return search(forecaster, history, rows, ticker="GARCH", budget=budget, store=store, **options)

    return searching


@pytest.fixture(scope="module")
def whole(garch_history, tmp_path_factory):
    """What a search of three trials found, and its store. Do not change the store: copy it."""
    store = ArtifactStore(tmp_path_factory.mktemp("search"))
    return search(XGBoost(seed=3), garch_history, ROWS, ticker="GARCH", budget=3, store=store), store


def test_every_setting_of_a_search_space_is_one_of_the_model():
    for model in discover().values():
        forecaster = model()
        assert set(model.search_space) <= set(forecaster.settings())
        for settings in draw(forecaster, 6) if model.search_space else []:
            changed = type(forecaster)(**{**forecaster.settings(), **settings})
            assert {name: changed.settings()[name] for name in settings} == settings


def test_trial_0_is_the_default_and_the_others_are_drawn_by_the_seed_without_repetition():
    drawn = draw(XGBoost(seed=3), 30)
    assert drawn[0] == {}
    assert len({json.dumps(settings, sort_keys=True) for settings in drawn}) == 30
    assert drawn == draw(XGBoost(seed=3), 30)
    assert drawn != draw(XGBoost(seed=4), 30)


@pytest.mark.parametrize(("settings", "combinations"), [({}, 60), ({"max_depth": 5}, 61)])
def test_a_small_space_is_searched_whole(settings, combinations):
    forecaster = RandomForest(**settings)
    drawn = draw(forecaster, 500)
    tried = {json.dumps({**forecaster.settings(), **change}, sort_keys=True) for change in drawn}
    assert len(drawn) == len(tried) == combinations


def test_the_losses_are_mean_squared_errors_on_blocks_after_the_rows_learned_from(whole, garch_history):
    """Oracle: the four blocks of 100 rows cut and fitted by hand."""
    found, _ = whole
    actual = garch_history["log_return"].to_numpy()
    losses = []
    for row in found.trials.itertuples():
        forecaster = XGBoost(**json.loads(row.hyper_parameters))
        squared = []
        for begin in (160, 260, 360):
            fitted = forecaster.fit(garch_history.iloc[: begin - 1])
            predicted = fitted.predict(garch_history)
            squared += [(actual[t + 1] - predicted[t]) ** 2 for t in range(begin, begin + 100)]
        losses.append(sum(squared) / len(squared))
    np.testing.assert_allclose(found.trials["loss"], losses, rtol=1e-12)
    best = losses.index(min(losses))
    assert found.trials["chosen"].tolist() == [number == best for number in range(3)]
    assert found.forecaster == XGBoost(**json.loads(found.trials["hyper_parameters"][best]))


def test_trials_fit_their_contract_and_name_the_budget(whole, garch_history):
    trials = whole[0].trials
    conform(TABLES["tuning_trials"], trials)
    assert trials["trial"].tolist() == [0, 1, 2]
    assert trials["budget"].tolist() == [3] * 3
    assert trials["train_end"].unique().tolist() == [garch_history["session"][459]]
    assert json.loads(trials["hyper_parameters"][0]) == XGBoost(seed=3).settings()
    assert len(set(trials["study"])) == 1


def test_rows_after_the_training_window_cannot_change_the_choice(garch_history, tmp_path):
    rng = np.random.default_rng(9)
    numbers = garch_history.select_dtypes("float64").columns
    changed = garch_history.copy()
    later = slice(ROWS[-1] + 1, None)
    changed.loc[later, numbers] = rng.standard_normal(changed.loc[later, numbers].shape)
    shorter = garch_history.iloc[: ROWS[-1] + 1]
    found = [
        search(XGBoost(), history, ROWS, ticker="GARCH", budget=2, store=ArtifactStore(tmp_path / name))
        for name, history in {"as it is": garch_history, "changed": changed, "shorter": shorter}.items()
    ]
    assert found[0].forecaster == found[1].forecaster == found[2].forecaster
    same = ["study", "trial", "hyper_parameters", "loss", "chosen", "train_end"]
    for other in found[1:]:
        pd.testing.assert_frame_equal(other.trials[same], found[0].trials[same])


def test_a_label_of_the_training_window_can_change_the_choice(find, whole, garch_history):
    changed = garch_history.copy()
    changed.loc[ROWS, "target_log_return"] = garch_history["target_log_return"][ROWS].to_numpy()[::-1]
    assert find(history=changed).trials["loss"].tolist() != whole[0].trials["loss"].tolist()


def test_a_search_goes_on_where_it_was_killed(find, whole, store, monkeypatch):
    shutil.copytree(whole[1].root, store.root, dirs_exist_ok=True)
    file = next(store.root.glob("ticker=GARCH/xgboost/search-*.json"))
    file.write_text(json.dumps(json.loads(file.read_text())[:2]))
    tried = []
    real = tuning._loss
    monkeypatch.setattr(tuning, "_loss", lambda *arguments: tried.append(1) or real(*arguments))
    again = find()
    assert tried == [1]
    same = ["study", "trial", "hyper_parameters", "loss", "chosen"]
    pd.testing.assert_frame_equal(again.trials[same], whole[0].trials[same])
    said = []
    pd.testing.assert_frame_equal(find(progress=said.append).trials, again.trials)
    assert said == []


def test_a_file_that_is_not_of_a_search_is_refused(find, whole, store):
    shutil.copytree(whole[1].root, store.root, dirs_exist_ok=True)
    file = next(store.root.glob("ticker=GARCH/xgboost/search-*.json"))
    file.write_text('{"loss": 1}')
    with pytest.raises(ArtifactMismatch, match="does not hold the trials of a search"):
        find()


@pytest.mark.parametrize("change", ["seed", "budget", "rows", "code"])
def test_another_question_is_another_study(change, find, monkeypatch):
    before = find(budget=1).trials["study"][0]
    if change == "code":
        monkeypatch.setattr(tuning, "address", lambda *_, **more: f"other {more['kind']}")
    varied = {"seed": {"forecaster": XGBoost(seed=4)}, "budget": {"budget": 2}, "rows": {"rows": ROWS[:-1]}, "code": {}}
    assert find(**{"budget": 1, **varied[change]}).trials["study"][0] != before


def test_nothing_is_searched_without_a_budget_or_without_a_space(find, store):
    for found, forecaster in ((find(budget=0), XGBoost(seed=3)), (find(RandomWalk()), RandomWalk())):
        assert found.forecaster == forecaster
        assert found.trials.empty
        conform(TABLES["tuning_trials"], found.trials)
    assert not list(store.root.rglob("*"))


def test_a_setting_that_learns_nothing_is_never_chosen(find, monkeypatch):
    losses = iter([2.0, float("nan"), 1.0, 1.0])
    monkeypatch.setattr(tuning, "_loss", lambda *_: next(losses))
    trials = find(budget=4).trials
    assert trials["loss"].isna().tolist() == [False, True, False, False]
    assert trials["chosen"].tolist() == [False, False, True, False]
    conform(TABLES["tuning_trials"], trials)


def test_progress_names_each_trial(find):
    said = []
    find(budget=2, progress=said.append)
    assert said[0].startswith("trial 1/2 loss ")
    assert said[0].endswith("with the default")
    assert "'max_depth'" in said[1]


@pytest.mark.slow
def test_networks_are_searched_too(find):
    network = LstmPytorch.fast()
    found = find(network, budget=2)
    assert found.trials["loss"].notna().all()
    assert json.loads(found.trials["hyper_parameters"][1])["units_1"] == network.units_1


def test_the_chosen_settings_are_those_of_the_fit(find, garch_history, garch_splits, store):
    rows = train_rows(garch_history, garch_splits)
    learned = garch_splits["session"][garch_splits["role"] == "train"]
    np.testing.assert_array_equal(garch_history["session"].iloc[rows], learned)
    found = find(rows=rows)
    trained = train(found.forecaster, garch_history, garch_splits, ticker="GARCH", store=store, now=lambda: NOW)
    chosen = found.trials.loc[found.trials["chosen"], "hyper_parameters"].item()
    assert trained.evaluated.manifest.settings == trained.final.manifest.settings == json.loads(chosen)


def test_a_backtest_searches_before_each_of_its_fits(garch_history, garch_features, store):
    folds = plan_folds(garch_features, Plan(first_train=400, step=70, refit_every=2))
    result = run_backtest(
        XGBoost(n_estimators=20),
        garch_history,
        folds,
        ticker="GARCH",
        calendar="XNYS",
        store=store,
        now=lambda: NOW,
        tune=2,
    )
    fits = result.folds[result.folds["refitted"]]
    assert result.trials.groupby("study").size().tolist() == [2, 2]
    assert set(result.trials["train_end"]) == set(fits["train_end"])
    chosen = result.trials[result.trials["chosen"]].set_index("train_end")["hyper_parameters"]
    for row in result.folds.itertuples():
        assert row.hyper_parameters == chosen[row.train_end]
