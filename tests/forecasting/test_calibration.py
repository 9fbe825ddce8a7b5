import numpy as np
import pandas as pd
import pytest

from stock_assets.forecasting.calibration import as_markdown, calibrate, pit_histogram, unconditional_quantiles
from stock_assets.forecasting.coverage_tests import christoffersen, kupiec, wilson
from stock_assets.forecasting.intervals import LEVELS
from storage.contracts import conform
from storage.tables import CALIBRATION, PIT_HISTOGRAM
from tests.forecasting.scored import predictions_of
from tests.synthetic import random_walk_bars

N = 300


@pytest.fixture(scope="module")
def prices():
    """The as-of sessions of the predictions are the last ones of these bars."""
    bars = random_walk_bars("T", 500, seed=5, volatility=0.03)
    return bars.assign(session=pd.bdate_range(end="2020-12-31", periods=500))


@pytest.fixture(scope="module")
def predictions(prices):
    rng = np.random.default_rng(0)
    sessions = prices["session"].iloc[-N:].reset_index(drop=True)
    parts = []
    for model, scheme, role, fold in (
        ("random_walk", "holdout", "validation", "holdout"),
        ("random_walk", "holdout", "test", "holdout"),
        ("random_walk", "walk_forward", "test", "wf_00"),
        ("sarima", "live", "live", "live"),
    ):
        rows = predictions_of(model, np.zeros(N), 0.0005 * rng.standard_normal(N), fold=fold, role=role)
        parts.append(
            rows.assign(
                scheme=scheme,
                session=sessions,
                target_session=sessions + pd.offsets.BDay(),
                volatility=rng.random(N),
                capped=(np.arange(N) % 50 == 0) * 2,
            )
        )
    return pd.concat(parts, ignore_index=True)


@pytest.fixture(scope="module")
def table(predictions, prices):
    return calibrate(predictions, prices)


def one(table, level=90, **asked):
    asked = {"model": "random_walk", "scheme": "holdout", "role": "test", "level": level} | asked
    (row,) = table.loc[(table[list(asked)] == pd.Series(asked)).all(axis=1)].to_dict("records")
    return row


def test_there_is_a_row_for_every_model_scheme_role_and_level(table):
    conform(CALIBRATION, table, {"ticker": "T"})
    assert tuple(table.columns) == CALIBRATION.column_names
    assert len(table) == 4 * len(LEVELS)
    assert set(table["scheme"]) == {"holdout", "walk_forward", "live"}


@pytest.mark.parametrize("level", LEVELS)
def test_scores_agree_with_a_plain_loop(level, table, predictions, prices):
    rows = predictions[(predictions["scheme"] == "holdout") & (predictions["role"] == "test")].to_dict("records")
    bars = prices.set_index("session")["adj_close"]
    inside, losses, walk_losses, widths = [], [], [], []
    low, high = (1 - level / 100) / 2, (1 + level / 100) / 2

    def loss(actual, quantile, probability):
        miss = actual - quantile
        return probability * miss if miss >= 0 else (probability - 1) * miss

    for row in rows:
        lower, upper = row[f"lower_{level}"], row[f"upper_{level}"]
        inside.append(lower <= row["actual"] <= upper)
        widths.append(upper - lower)
        losses.append((loss(row["actual"], lower, low) + loss(row["actual"], upper, high)) / 2)
        earlier = np.log(bars[: row["session"]]).diff().dropna()
        ends = [row["naive"] * np.exp(np.quantile(earlier, probability)) for probability in (low, high)]
        walk_losses.append((loss(row["actual"], ends[0], low) + loss(row["actual"], ends[1], high)) / 2)
    found = one(table, level)
    assert found["n"] == N
    assert found["coverage"] == pytest.approx(np.mean(inside))
    assert found["width"] == pytest.approx(np.mean(widths))
    assert found["pinball"] == pytest.approx(np.mean(losses))
    assert found["pinball_random_walk"] == pytest.approx(np.mean(walk_losses))
    assert (found["coverage_lower"], found["coverage_upper"]) == wilson(sum(inside), N)
    assert found["kupiec_p"] == kupiec(sum(inside), N, level / 100)
    np.testing.assert_equal(found["christoffersen_p"], christoffersen([not hit for hit in inside]))


def test_misses_are_taken_in_order_of_time(predictions, prices, table):
    shuffled = predictions.sample(frac=1, random_state=1)
    pd.testing.assert_frame_equal(calibrate(shuffled, prices), table)


def test_rows_at_the_cap_are_counted_once_however_many_levels_were_held(table):
    assert set(table["n_capped"]) == {N // 50}


def test_coverage_by_volatility_is_that_of_each_third(table, predictions):
    rows = predictions[(predictions["scheme"] == "walk_forward")].sort_values("volatility")
    inside = rows["actual"].between(rows["lower_80"], rows["upper_80"]).to_numpy()
    found = one(table, 80, scheme="walk_forward")
    assert found["coverage_calm"] == inside[:100].mean()
    assert found["coverage_middle"] == inside[100:200].mean()
    assert found["coverage_restless"] == inside[200:].mean()


def test_two_rows_have_no_third_third(predictions, prices):
    few = predictions[predictions["model"] == "sarima"].head(2)
    found = one(calibrate(few, prices), model="sarima", scheme="live", role="live")
    assert np.isnan(found["coverage_restless"])
    assert not np.isnan(found["coverage_calm"])


def test_quantiles_of_a_session_depend_on_no_later_bar(prices):
    asked = prices["session"].iloc[[100, 300]]
    cut = prices[prices["session"] <= asked.iloc[0]]
    wild = pd.concat([cut, prices[prices["session"] > asked.iloc[0]].assign(adj_close=lambda bars: 9 * bars["close"])])
    for changed in (cut, wild):
        found = unconditional_quantiles(changed, asked).iloc[0]
        pd.testing.assert_series_equal(found, unconditional_quantiles(prices, asked).iloc[0])


def test_a_session_that_left_the_prices_has_no_quantiles_and_makes_no_loss_up(predictions, prices):
    left = predictions["session"].iloc[3]
    found = one(calibrate(predictions, prices[prices["session"] != left]))
    assert np.isnan(found["pinball_random_walk"])
    assert not np.isnan(found["pinball"])


def test_rows_without_an_outcome_are_left_out(predictions, prices, table):
    newest = predictions.tail(1).assign(actual=np.nan, actual_log_return=np.nan, role="live")
    pd.testing.assert_frame_equal(calibrate(pd.concat([predictions, newest]), prices), table)
    pd.testing.assert_frame_equal(pit_histogram(pd.concat([predictions, newest])), pit_histogram(predictions))


def test_nothing_to_score_makes_empty_tables_of_the_right_types(predictions, prices):
    nothing = predictions.assign(actual=np.nan)
    for contract, empty in ((CALIBRATION, calibrate(nothing, prices)), (PIT_HISTOGRAM, pit_histogram(nothing))):
        conform(contract, empty, {"ticker": "T"})
        assert empty.empty


def test_the_nine_bins_are_the_gaps_between_the_published_quantiles(predictions):
    bins = pit_histogram(predictions)
    conform(PIT_HISTOGRAM, bins, {"ticker": "T"})
    part = bins[(bins["role"] == "validation")]
    assert part["lower"].tolist() == [0, 0.025, 0.05, 0.10, 0.25, 0.75, 0.90, 0.95, 0.975]
    assert part["upper"].tolist() == [0.025, 0.05, 0.10, 0.25, 0.75, 0.90, 0.95, 0.975, 1]
    assert part["expected"].sum() == pytest.approx(1)
    assert part["n"].sum() == N
    assert part["share"].sum() == pytest.approx(1)


def test_a_close_is_counted_in_the_bin_it_fell_in_and_on_a_bound_as_inside(predictions):
    """Bounds are ± 0.05, 0.08, 0.09 and 0.095 around a prediction of 100."""
    actual = [99.0, 99.905, 99.907, 99.91, 99.915, 99.93, 99.95, 100.0, 100.05, 100.06, 100.085, 100.092, 101.0]
    rows = predictions.head(len(actual)).assign(actual=actual)
    assert pit_histogram(rows)["n"].tolist() == [1, 2, 2, 1, 3, 1, 1, 1, 1]


def test_bins_and_coverage_count_the_same_closes(predictions, table):
    bins = pit_histogram(predictions)
    inner = bins[(bins["lower"] >= 0.05) & (bins["upper"] <= 0.95)].groupby(["model", "scheme", "role"])["share"].sum()
    for (model, scheme, role), share in inner.items():
        assert share == pytest.approx(one(table, 90, model=model, scheme=scheme, role=role)["coverage"])


def test_closes_drawn_from_the_forecast_distribution_fill_the_bins_as_expected():
    from scipy.stats import norm

    n = 20_000
    rows = predictions_of("sarima", np.zeros(n), np.random.default_rng(2).standard_normal(n) / 1000)
    bounds = {
        f"{side}_{level}": 100 * np.exp(norm.ppf(0.5 + sign * level / 200) / 1000)
        for level in LEVELS
        for side, sign in (("lower", -1), ("upper", 1))
    }
    bins = pit_histogram(rows.assign(scheme="holdout", **bounds))
    np.testing.assert_allclose(bins["share"], bins["expected"], atol=0.01)


def test_the_table_for_people_has_a_row_for_each_model_scheme_and_role(table):
    assert len(as_markdown(table).splitlines()) == 2 + 4


def test_input_is_unchanged(predictions, prices):
    before = predictions.copy(), prices.copy()
    calibrate(predictions, prices)
    pit_histogram(predictions)
    pd.testing.assert_frame_equal(predictions, before[0])
    pd.testing.assert_frame_equal(prices, before[1])
