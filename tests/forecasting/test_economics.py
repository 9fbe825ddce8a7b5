"""The economic view against figures computed by hand, by plain loops and from the papers' own examples."""

import math

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from stock_assets.forecasting.economics import (
    deflated_sharpe,
    economics,
    max_drawdown,
    open_to_open,
    sharpe_ratio,
    sharpe_se,
    trade,
)
from storage.contracts import conform
from storage.tables import ECONOMICS
from tests.forecasting.scored import predictions_of
from tests.synthetic import random_walk_bars

RNG = np.random.default_rng(11)


def test_what_a_trade_costs_by_hand() -> None:
    """Long on sessions 2, 3 and 5: in, in, out, in, and sold at the end: four sides of 5 basis points."""
    found = trade(np.array([0.0, 1, 1, 0, 1]), np.array([0.01, 0.02, -0.01, 0.03, 0.005]))
    side = math.log(1 - 0.0005)
    assert found.gross.tolist() == pytest.approx([0, 0.02, -0.01, 0, 0.005])
    assert found.net.tolist() == pytest.approx([0, 0.02 + side, -0.01, side, 0.005 + 2 * side])
    assert (found.sides, found.exposure) == (4, 0.6)


def test_costs_can_be_set_and_nothing_traded_costs_nothing() -> None:
    assert trade(np.zeros(3), np.ones(3)).net.tolist() == [0, 0, 0]
    free = trade(np.array([1.0, 0.0]), np.array([0.1, 0.2]), cost_bp=0)
    assert free.net.tolist() == pytest.approx([0.1, 0.0])


def test_wealth_by_a_plain_loop() -> None:
    """One dollar through sessions of random positions, each change paid from its value."""
    is_long, returns = (RNG.random(60) > 0.5).astype(float), 0.01 * RNG.standard_normal(60)
    money, was = 1.0, 0.0
    for now, earned in zip(is_long, returns, strict=True):
        if now != was:
            money *= 1 - 0.0005
        money *= math.exp(earned) if now else 1.0
        was = now
    money *= 1 - 0.0005 if was else 1.0
    assert math.exp(trade(is_long, returns).net.sum()) == pytest.approx(money)


def test_the_largest_fall_by_hand() -> None:
    assert max_drawdown(np.log([1.1, 0.5, 1.5, 0.9])) == pytest.approx(0.5)
    assert max_drawdown(np.log([0.8, 2.0])) == pytest.approx(0.2)  # the start is a peak, too
    assert max_drawdown(np.log([1.1, 1.2])) == 0.0


def test_the_sharpe_ratio_is_of_simple_returns() -> None:
    simple = np.array([0.01, -0.02, 0.03, 0.0])
    expected = simple.mean() / simple.std(ddof=1)
    assert sharpe_ratio(np.log1p(simple)) == pytest.approx(expected)
    assert math.isnan(sharpe_ratio(np.zeros(5)))
    assert math.isnan(sharpe_ratio(np.array([0.01])))


def test_the_standard_error_of_normal_returns_is_that_of_lo() -> None:
    """Lo (2002), table 1: √((1 + SR²/2) / T); monthly SR 0.5 over 60 months gives 0.137."""
    quantiles = stats.norm.ppf((np.arange(60) + 0.5) / 60)
    scaled = (quantiles - quantiles.mean()) / quantiles.std(ddof=1)
    returns = np.log1p(0.01 * (scaled + 0.5))
    assert sharpe_ratio(returns) == pytest.approx(0.5)
    assert sharpe_se(returns) == pytest.approx(0.137, abs=0.002)  # 60 quantiles have slightly thin tails


def test_the_standard_error_is_that_of_resampled_returns() -> None:
    """Skewed returns: the spread of the ratio over 4,000 fresh samples is the oracle; Lo's form would be 20 % off."""
    samples = 0.02 + 0.05 * (1 - RNG.exponential(size=(4000, 250)))
    ratios = samples.mean(axis=1) / samples.std(axis=1, ddof=1)
    long_sample = np.log1p(0.02 + 0.05 * (1 - RNG.exponential(size=200_000)).clip(-15))
    per_row = sharpe_se(long_sample) * math.sqrt(200_000 / 250)
    assert per_row == pytest.approx(ratios.std(), rel=0.05)
    lo = math.sqrt((1 + 0.4**2 / 2) / 250)
    assert abs(lo / ratios.std() - 1) > 0.1
    assert math.isnan(sharpe_se(np.zeros(9)))


def test_the_deflated_ratio_of_the_paper() -> None:
    """Bailey & López de Prado (2014), numerical example: 100 trials, yearly SR 2.5 over 1,250 daily rows, variance of
    the trials' yearly SR ½, skewness −3, kurtosis 10: SR₀ is 0.1132 a day and the deflated ratio 0.9004."""
    # Two values are the only distribution with these moments; 105 low ones in 1,250 come closest.
    values = np.repeat([0.0, 1.0], [105, 1145])
    assert (stats.skew(values), stats.kurtosis(values, fisher=False)) == pytest.approx((-3, 10), abs=0.01)
    returns = np.log1p(0.01 * ((values - values.mean()) / values.std(ddof=1) + 2.5 / math.sqrt(250)))
    assert deflated_sharpe(returns, trials=100, variance=0.5 / 250) == pytest.approx(0.9004, abs=0.0005)


def test_a_single_trial_is_the_probabilistic_ratio_and_more_trials_lower_it() -> None:
    returns = np.log1p(0.0005 + 0.01 * RNG.standard_normal(500))
    alone = deflated_sharpe(returns, trials=1, variance=0.002)
    ratio = sharpe_ratio(returns)
    simple = np.expm1(returns)
    g3, g4 = stats.skew(simple), stats.kurtosis(simple, fisher=False)
    expected = stats.norm.cdf(ratio * math.sqrt(499) / math.sqrt(1 - g3 * ratio + (g4 - 1) / 4 * ratio**2))
    assert alone == pytest.approx(expected)
    assert (
        alone > deflated_sharpe(returns, trials=5, variance=0.002) > deflated_sharpe(returns, trials=50, variance=0.002)
    )
    assert math.isnan(deflated_sharpe(np.zeros(9), trials=5, variance=0.1))


# --- from tables


def bars(n: int = 300) -> pd.DataFrame:
    return random_walk_bars("T", n, seed=3)


def said(
    prices: pd.DataFrame, model: str, predicted: np.ndarray, *, start: int = 100, fold: str = "wf_00"
) -> pd.DataFrame:
    """Rows of table `predictions` for the sessions from position `start` on."""
    rows = predictions_of(model, predicted, np.zeros(len(predicted)), fold=fold, role="test")
    return rows.assign(session=prices["session"].iloc[start : start + len(predicted)].to_numpy())


def test_a_signal_is_traded_at_the_next_open_and_dividends_belong_to_the_holder() -> None:
    """Four sessions by hand: the close of session 0 decides what is held from open 1 to open 2."""
    prices = bars(4).assign(open=[10.0, 11, 12, 14], close=[10.0, 11, 13, 14], adj_close=[5.0, 5.5, 13, 14])
    expected = [math.log(12 / 5.5), math.log(14 / 12)]
    assert open_to_open(prices).iloc[:2].tolist() == pytest.approx(expected)
    assert open_to_open(prices).iloc[2:].isna().all()


def test_the_table_by_hand() -> None:
    prices = bars()
    signal = np.where(np.arange(150) % 3 == 0, 0.001, -0.001)
    table = economics(said(prices, "m", signal), prices, ticker="T", trials=5)
    assert conform(ECONOMICS, table, {"ticker": "T"}).num_rows == 1
    row = table.iloc[0]
    opens = (prices["open"] * prices["adj_close"] / prices["close"]).to_numpy()
    held = [math.log(opens[at + 2] / opens[at + 1]) for at in range(100, 250) if (at - 100) % 3 == 0]
    days = (prices["session"].iloc[-1] - prices["session"].iloc[0]).days
    years = 150 / (299 / (days / 365.25))
    assert row["n"] == 150
    assert row["exposure"] == pytest.approx(1 / 3)
    assert row["turnover"] == pytest.approx(100 / years)
    assert row["gross_return"] == pytest.approx(sum(held) / years)
    assert row["net_return"] == pytest.approx((sum(held) + 100 * math.log(1 - 0.0005)) / years)
    hold = math.log(opens[251] / opens[101]) + 2 * math.log(1 - 0.0005)
    assert row["buy_and_hold_return"] == pytest.approx(hold / years)
    assert row[["first_session", "last_session"]].tolist() == prices["session"].iloc[[101, 250]].tolist()
    assert row["verdict"].startswith("Nothing survives costs: m earned ")


def test_nothing_is_earned_from_the_move_to_the_next_close_alone() -> None:
    """A model that knows the next close, but not the open after it, holds from open to open like everybody."""
    prices = bars()
    knows = np.log(prices["adj_close"]).diff().shift(-1).to_numpy()[100:250]
    row = economics(said(prices, "m", knows), prices, ticker="T", trials=1).iloc[0]
    earned = open_to_open(prices).to_numpy()[100:250]
    assert row["gross_return"] * 150 / 260.7 == pytest.approx(earned[knows > 0].sum(), rel=0.01)


def test_the_random_walk_is_never_long() -> None:
    prices = bars()
    row = economics(said(prices, "random_walk", np.zeros(150)), prices, ticker="T", trials=5).iloc[0]
    assert row[["exposure", "turnover", "net_return", "max_drawdown"]].tolist() == [0, 0, 0, 0]
    assert np.isnan(row[["sharpe", "sharpe_se", "deflated_sharpe"]].astype(float)).all()
    assert row["deflated_sharpe_over_holding"] < 0.95
    assert row["verdict"].startswith("The random walk predicts no rise, so it is never long: nothing traded")
    assert not row["survives_costs"]


def test_a_real_advantage_survives_and_the_others_are_told_from_it() -> None:
    prices = bars(900)
    earned = np.nan_to_num(open_to_open(prices).to_numpy()[100:800])
    rows = pd.concat([said(prices, "seer", earned), said(prices, "noise", RNG.standard_normal(700))])
    table = economics(rows, prices, ticker="T", trials=5).set_index("model")
    assert table.loc["seer", "survives_costs"]
    assert table.loc["seer", "deflated_sharpe"] > 0.95
    assert table.loc["seer", "verdict"].startswith("seer survives costs: seer earned +")
    assert table.loc["noise", "verdict"].startswith("noise does not survive costs")


def rising(n: int, seed: int, drift: float = 0.001) -> pd.DataFrame:
    prices = random_walk_bars("T", n, seed=seed, volatility=0.015)
    market = np.exp(drift * np.arange(n))
    return prices.assign(**{name: prices[name] * market for name in ("open", "high", "low", "close", "adj_close")})


def test_what_is_earned_more_than_holding_by_hand() -> None:
    """Flat on every tenth session: there it earns what holding lost, and pays for getting out and in again."""
    prices = rising(900, seed=3)
    signal = np.where(np.arange(700) % 10 == 5, -1.0, 1.0)
    row = economics(said(prices, "m", signal), prices, ticker="T", trials=1).iloc[0]
    earned, side = open_to_open(prices).to_numpy()[100:800], math.log(1 - 0.0005)
    excess = np.where(signal < 0, side - earned, np.where(np.roll(signal, 1) < 0, side, 0.0))
    simple = np.expm1(excess)
    ratio = simple.mean() / simple.std(ddof=1)
    factor = 1 - stats.skew(simple) * ratio + (stats.kurtosis(simple, fisher=False) - 1) / 4 * ratio**2
    expected = stats.norm.cdf(ratio * math.sqrt(699 / factor))
    assert row["deflated_sharpe_over_holding"] == pytest.approx(expected)


def test_a_rising_market_is_no_skill() -> None:
    """Worthless models that are long on 98 % of sessions: they have the market's ratio, and some luck beside it."""
    rng = np.random.default_rng(5)
    look_good = survive = 0
    for seed in range(20):
        prices = rising(900, seed)
        models = [said(prices, f"m{i}", np.where(rng.random(780) < 0.02, -1.0, 1.0)) for i in range(7)]
        table = economics(pd.concat(models), prices, ticker="T", trials=7)
        earned_more = table["net_return"] > table["buy_and_hold_return"]
        look_good += bool((earned_more & (table["deflated_sharpe"] > 0.95)).any())
        survive += bool(table["survives_costs"].any())
    assert look_good >= 5  # what a rule without the advantage over holding would have let through
    assert survive == 0


def test_luck_counts_how_many_models_were_tried() -> None:
    prices = bars(900)
    rows = pd.concat([said(prices, name, RNG.standard_normal(700)) for name in ("a", "b", "c")])
    few, many = (economics(rows, prices, ticker="T", trials=n)["deflated_sharpe"] for n in (3, 30))
    assert (many < few).all()


def test_sessions_without_a_prediction_are_spent_flat_and_unknown_outcomes_are_left_out() -> None:
    prices = bars()
    rows = said(prices, "m", np.ones(200))
    holed = rows[rows["session"] != prices["session"].iloc[150]]
    row = economics(holed, prices, ticker="T", trials=1).iloc[0]
    assert row["n"] == 198  # the last two sessions have no next open yet
    assert row["exposure"] == pytest.approx(197 / 198)


def test_schemes_are_apart_and_holdout_rows_are_not_traded() -> None:
    prices = bars()
    rows = pd.concat(
        [
            said(prices, "m", np.ones(50)),
            said(prices, "m", np.ones(20), start=270, fold="live"),
            said(prices, "m", np.ones(30), start=60, fold="holdout"),
        ]
    )
    table = economics(rows, prices, ticker="T", trials=1)
    assert table[["scheme", "n"]].to_numpy().tolist() == [["walk_forward", 50], ["live", 20]]


def test_without_rows_the_table_is_empty_and_fits_the_contract() -> None:
    prices = bars()
    none = said(prices, "m", np.ones(1)).iloc[:0]
    newest = said(prices, "m", np.ones(1), start=299, fold="live")  # its open is still to come
    for rows in (none, newest):
        table = economics(rows, prices, ticker="T", trials=1)
        assert conform(ECONOMICS, table, {"ticker": "T"}).num_rows == 0
