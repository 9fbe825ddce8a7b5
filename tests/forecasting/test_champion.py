"""The champion's rule: who is promoted, on which rows, and how the reason reads."""

from datetime import UTC, datetime

import numpy as np
import pandas as pd
import pytest

from stock_assets.forecasting.champion import decide, is_news
from stock_assets.forecasting.errors import NotTrained
from stock_assets.forecasting.evaluation import evaluate
from storage.tables import CHAMPION
from tests.forecasting.scored import predictions_of

NOW = datetime(2026, 1, 5, 22, tzinfo=UTC)
RNG = np.random.default_rng(21)
VALIDATION = 0.02 * RNG.standard_normal(120)
TEST = 0.02 * RNG.standard_normal(120)
NOISE = 0.004 * RNG.standard_normal(120)


def decide_between(*, promotable: set[str] | None = None, **models: tuple[np.ndarray, np.ndarray]) -> pd.DataFrame:
    """The decision between the random walk and models given as (validation, test) predictions."""
    everyone = {"random_walk": (np.zeros(120), np.zeros(120)), **models}
    predictions = pd.concat(
        predictions_of(name, predicted, actual, role=role, start=start)
        for name, (validation, test) in everyone.items()
        for role, predicted, actual, start in (
            ("validation", validation, VALIDATION, "2020-01-02"),
            ("test", test, TEST, "2021-01-04"),
        )
    )
    return decide(
        evaluate(predictions, scale_mae=1.0),
        ticker="T",
        versions={name: f"{name}-final" for name in everyone},
        promotable=set(everyone) if promotable is None else promotable,
        decided_at=NOW,
    )


def test_the_row_has_the_columns_of_the_contract() -> None:
    decision = decide_between(noise=(NOISE, NOISE))
    assert tuple(decision.columns) == CHAMPION.column_names
    assert str(decision["decided_at"].dtype) == "datetime64[ns, UTC]"


def test_the_random_walk_stays_when_nothing_is_proven() -> None:
    row = decide_between(noise=(NOISE, NOISE)).iloc[0]
    assert (row["model"], row["promoted"], row["n"]) == ("random_walk", False, 120)
    assert row["model_version"] == "random_walk-final"
    assert row["reason"].startswith("The random walk stays: the best candidate, noise, does not prove better")


def test_a_proven_model_is_promoted_and_the_reason_holds_the_numbers() -> None:
    row = decide_between(good=(0.2 * VALIDATION + NOISE, NOISE), noise=(NOISE, NOISE)).iloc[0]
    assert (row["model"], row["promoted"], row["model_version"]) == ("good", True, "good-final")
    assert "good beats the random walk: Clark-West p < 0.001 (Holm over 2 models)" in row["reason"]
    assert "on 120 validation sessions" in row["reason"]
    assert "On 120 test sessions, which do not decide" in row["reason"]


def test_test_rows_never_decide() -> None:
    assert decide_between(lucky=(NOISE, 0.5 * TEST)).iloc[0]["model"] == "random_walk"
    assert decide_between(unlucky=(0.3 * VALIDATION, -0.5 * TEST)).iloc[0]["model"] == "unlucky"


def test_a_significant_model_with_a_higher_error_is_not_promoted() -> None:
    """Clark–West forgives the noise of estimation; the forecast that is published does not."""
    wild = 0.3 * VALIDATION + 0.03 * RNG.standard_normal(120)
    row = decide_between(wild=(wild, wild)).iloc[0]
    assert row["p_value"] < 0.05
    assert row["model"] == "random_walk"


def test_among_several_the_lowest_error_wins() -> None:
    row = decide_between(good=(0.2 * VALIDATION + NOISE, NOISE), better=(0.4 * VALIDATION + NOISE, NOISE)).iloc[0]
    assert row["model"] == "better"


def test_the_reference_formulation_is_never_promoted() -> None:
    row = decide_between(good=(0.3 * VALIDATION, NOISE), promotable={"random_walk"}).iloc[0]
    assert row["model"] == "random_walk"
    assert np.isnan(row["p_value"])
    assert row["reason"] == "The random walk stays: no model could be tested against it on validation sessions."


def test_trying_many_models_makes_the_bar_higher() -> None:
    weak = 0.03 * VALIDATION + NOISE
    alone = decide_between(weak=(weak, NOISE)).iloc[0]
    silent = {f"silent_{i}": (np.zeros(120), np.zeros(120)) for i in range(9)}
    among_ten = decide_between(weak=(weak, NOISE), **silent).iloc[0]
    assert among_ten["p_value"] == pytest.approx(min(1, 10 * alone["p_value"]))


def test_a_model_that_is_absent_today_was_tried_all_the_same() -> None:
    weak = 0.03 * VALIDATION + NOISE
    alone = decide_between(weak=(weak, NOISE), promotable={"random_walk", "weak"}).iloc[0]
    family = {"random_walk", "weak", *(f"absent_{i}" for i in range(4))}
    among_five = decide_between(weak=(weak, NOISE), promotable=family).iloc[0]
    assert among_five["p_value"] == pytest.approx(min(1, 5 * alone["p_value"]))
    assert "(Holm over 1 model)" in alone["reason"]
    assert "(Holm over 5 models)" in among_five["reason"]


def test_a_promotion_is_lost_when_the_whole_family_is_counted() -> None:
    some = 0.06 * VALIDATION + NOISE
    alone = decide_between(some=(some, NOISE), promotable={"some"}).iloc[0]
    assert alone["p_value"] < 0.05
    many = {"some", *(f"absent_{i}" for i in range(int(0.05 / alone["p_value"]) + 1))}
    assert (alone["model"], decide_between(some=(some, NOISE), promotable=many).iloc[0]["model"]) == (
        "some",
        "random_walk",
    )


def test_the_reason_fits_a_screen() -> None:
    models = {f"a_rather_long_model_name_{i}": (0.2 * VALIDATION + NOISE, NOISE) for i in range(12)}
    assert len(decide_between(**models).iloc[0]["reason"]) <= 400


def test_without_test_rows_the_reason_ends_early() -> None:
    predictions = pd.concat(
        [predictions_of("random_walk", np.zeros(120), VALIDATION), predictions_of("noise", NOISE, VALIDATION)]
    )
    decision = decide(
        evaluate(predictions, scale_mae=1.0),
        ticker="T",
        versions={"random_walk": "1"},
        promotable={"noise"},
        decided_at=NOW,
    )
    assert decision.iloc[0]["reason"].endswith("on 120 validation sessions.")


def test_without_any_scored_row_the_random_walk_is_champion_of_nothing() -> None:
    predictions = predictions_of("random_walk", np.zeros(120), VALIDATION).assign(actual=np.nan)
    row = decide(
        evaluate(predictions, scale_mae=1.0),
        ticker="T",
        versions={"random_walk": "1"},
        promotable={"random_walk"},
        decided_at=NOW,
    ).iloc[0]
    assert (row["model"], row["n"]) == ("random_walk", 0)


def test_a_champion_without_a_final_fit_is_an_error_with_the_cure() -> None:
    predictions = predictions_of("random_walk", np.zeros(120), VALIDATION)
    with pytest.raises(
        NotTrained, match=r"random_walk is the champion of T and has no final fit.*xgboost.*materialise"
    ):
        decide(
            evaluate(predictions, scale_mae=1.0),
            ticker="T",
            versions={"xgboost": "1"},
            promotable=set(),
            decided_at=NOW,
        )


def test_a_decision_that_repeats_the_last_one_is_no_news() -> None:
    first = decide_between(noise=(NOISE, NOISE))
    assert is_news(first, first.iloc[:0])
    assert not is_news(first.assign(decided_at=pd.Timestamp(NOW) + pd.Timedelta(days=1)), first)
    assert is_news(decide_between(good=(0.3 * VALIDATION, NOISE)), first)
    assert is_news(first.assign(model_version="refitted"), first)


@pytest.mark.slow
def test_on_simulated_random_walks_hardly_any_model_is_promoted() -> None:
    """200 tickers, five models that know nothing: Holm holds false promotions of a ticker at 5 % or less."""
    rng = np.random.default_rng(5)
    promoted = 0
    for _ in range(200):
        actual = 0.02 * rng.standard_normal(120)
        models = {f"model_{i}": 0.001 * rng.standard_normal(120) for i in range(5)}
        predictions = pd.concat(
            [
                predictions_of(name, predicted, actual)
                for name, predicted in {"random_walk": 0 * actual, **models}.items()
            ]
        )
        decision = decide(
            evaluate(predictions, scale_mae=1.0),
            ticker="T",
            versions=dict.fromkeys([*models, "random_walk"], "1"),
            promotable=set(models),
            decided_at=NOW,
        )
        promoted += bool(decision["promoted"].iloc[0])
    assert promoted / 200 < 0.09
