"""Economic view: what trading on the sign of each forecast would have earned after costs, beside buying and holding.

What is said at the close of t is traded at the open of t + 1 and held to the next open: nobody trades at the close that
a forecast was made from. Long or flat, never short, no leverage, no interest. Opens are adjusted for splits and
dividends.
"""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import ArrayLike

from stock_assets.forecasting.metrics import aligned
from stock_assets.forecasting.models import BENCHMARK
from stock_assets.forecasting.models._base import Floats
from stock_assets.forecasting.splits import LIVE, WALK_FORWARD

COST_BP = 5.0
"""Cost of one side of a trade, in basis points of its value: spread, fee and slippage of a liquid stock."""
CONFIDENCE = 0.95
"""Deflated Sharpe ratio, of earnings and of what they exceed holding by, above which a result is believed."""
_DAYS_A_YEAR = 365.25
_EULER = float(np.euler_gamma)
_COLUMNS: dict[str, str] = {
    **dict.fromkeys(("ticker", "model", "scheme"), "object"),
    "n": "int64",
    **dict.fromkeys(("first_session", "last_session"), "datetime64[ns]"),
    **dict.fromkeys(
        (
            *("cost_bp", "exposure", "turnover", "gross_return", "net_return", "sharpe", "sharpe_se"),
            *("deflated_sharpe", "deflated_sharpe_over_holding", "max_drawdown"),
            *("buy_and_hold_return", "buy_and_hold_sharpe", "buy_and_hold_max_drawdown"),
        ),
        "float64",
    ),
    "survives_costs": "bool",
    "verdict": "object",
}


@dataclass(frozen=True)
class Trading:
    """What became of a rule, session by session; log returns from open to open, shape (n,).

    Attributes:
        gross: before costs.
        net: after costs, the closing of a last position included.
        sides: sides traded in all.
        exposure: share of sessions long.
    """

    gross: Floats
    net: Floats
    sides: int
    exposure: float


def trade(is_long: ArrayLike, returns: ArrayLike, *, cost_bp: float = COST_BP) -> Trading:
    """Hold where `is_long` is 1, and pay for every change.

    Args:
        is_long: 1 or 0 for each session, decided before its open, shape (n,).
        returns: log return from the session's adjusted open to the next one, shape (n,).
        cost_bp: cost of one side in basis points of the value traded.
    """
    held, earned = aligned(is_long=is_long, returns=returns)
    sides = np.abs(np.diff(held, prepend=0.0))
    sides[-1] += held[-1]  # what is held at the end is sold
    gross = held * earned
    net = gross + sides * np.log1p(-cost_bp / 1e4)
    return Trading(gross, net, int(sides.sum()), float(held.mean()))


def sharpe_ratio(log_returns: Floats) -> float:
    """Mean over standard deviation of simple returns, per session, over a zero rate (Sharpe 1994); NaN if constant."""
    simple = np.expm1(log_returns)
    spread = float(np.std(simple, ddof=1)) if len(simple) > 1 else 0.0
    return float(np.mean(simple)) / spread if spread > 1e-12 else float("nan")


def sharpe_se(log_returns: Floats) -> float:
    """Standard error of `sharpe_ratio`, per session.

    Lo (2002), Financial Analysts Journal 58, with the terms of skewness and kurtosis of Mertens (2002), without which
    it is right for normal returns only.
    """
    ratio, n = sharpe_ratio(log_returns), len(log_returns)
    return float(np.sqrt(_variance_factor(log_returns, ratio) / n)) if np.isfinite(ratio) else float("nan")


def deflated_sharpe(log_returns: Floats, *, trials: int, variance: float) -> float:
    """Probability that the true Sharpe ratio is above what the best of several worthless models would show by luck.

    Bailey & López de Prado (2014), Journal of Portfolio Management 40(5), eq. 1 and 2. `variance` is that of the Sharpe
    ratios (per session) of the models tried.
    """
    from scipy.special import ndtr, ndtri

    ratio, n = sharpe_ratio(log_returns), len(log_returns)
    if not np.isfinite(ratio):
        return float("nan")
    luck = 0.0
    if trials > 1:
        luck = np.sqrt(variance) * ((1 - _EULER) * ndtri(1 - 1 / trials) + _EULER * ndtri(1 - 1 / (trials * np.e)))
    return float(ndtr((ratio - luck) * np.sqrt(n - 1) / np.sqrt(_variance_factor(log_returns, ratio))))


def _variance_factor(log_returns: Floats, ratio: float) -> float:
    """n times the variance of an estimated Sharpe ratio: 1 − γ₃·SR + (γ₄ − 1)/4 · SR²."""
    simple = np.expm1(log_returns)
    scaled = (simple - simple.mean()) / simple.std()
    skewness, kurtosis = float(np.mean(scaled**3)), float(np.mean(scaled**4))
    return 1 - skewness * ratio + (kurtosis - 1) / 4 * ratio**2


def max_drawdown(log_returns: Floats) -> float:
    """Largest fall from a peak of the value of 1 invested at the start, as a fraction."""
    value = np.concatenate([[0.0], np.cumsum(log_returns)])
    return float(-np.expm1(np.min(value - np.maximum.accumulate(value))))


def open_to_open(prices: pd.DataFrame) -> "pd.Series[float]":
    """What a position taken at the open of t + 1 earns until the open of t + 2, at session t; NaN where not known yet.

    Log returns from adjusted open to adjusted open, indexed by the session *before* the first.
    """
    bars = prices.sort_values("session")
    adjusted = (bars["open"] * bars["adj_close"] / bars["close"]).to_numpy(dtype=float)
    log_open = pd.Series(np.log(adjusted), index=pd.DatetimeIndex(bars["session"]))
    earned: pd.Series[float] = log_open.shift(-2) - log_open.shift(-1)
    return earned


def economics(predictions: pd.DataFrame, prices: pd.DataFrame, *, ticker: str, trials: int) -> pd.DataFrame:
    """Frame of table `economics`: every model's walk-forward and live forecasts, traded.

    One row for each model and scheme with at least one session whose outcome is known. A session between the first and
    the last that a model did not predict is spent flat. `trials` counts the models tried, present or not.
    """
    earned = open_to_open(prices)
    per_year = _sessions_per_year(earned.index)
    following = pd.Series(earned.index[1:], index=earned.index[:-1])
    rows: list[dict[str, object]] = []
    for scheme in (WALK_FORWARD, LIVE):
        of_scheme = predictions[predictions["scheme"] == scheme].groupby("model")
        traded = {str(model): _traded(own, earned) for model, own in of_scheme}
        results = {model: trade(*own.to_numpy(dtype=float).T) for model, own in traded.items() if len(own)}
        # Buying at the first open and selling at the last.
        holds = {model: trade(np.ones(len(own)), own["earned"]) for model, own in traded.items() if len(own)}
        # A model that is mostly long in a rising market has the market's ratio: only the rest is its own.
        over_holding = _deflated({model: result.net - holds[model].net for model, result in results.items()}, trials)
        deflated = _deflated({model: result.net for model, result in results.items()}, trials)
        scores = {
            model: _scores(result, holds[model], (deflated[model], over_holding[model]), per_year)
            for model, result in results.items()
        }
        anything_survives = any(found["survives_costs"] for found in scores.values())
        for model, found in scores.items():
            sessions = traded[model].index
            identity = {"ticker": ticker, "model": model, "scheme": scheme}
            dates = {"first_session": following[sessions[0]], "last_session": following[sessions[-1]]}
            rows.append({**identity, **dates, **found, "verdict": _verdict(model, found, anything_survives)})
    return pd.DataFrame(rows, columns=list(_COLUMNS)).astype(_COLUMNS)


def _traded(rows: pd.DataFrame, earned: "pd.Series[float]") -> pd.DataFrame:
    """Position and return of every session from a model's first to its last row whose outcome is known."""
    signal = rows.drop_duplicates("session").set_index("session")["predicted_log_return"]
    span = earned[(earned.index >= signal.index.min()) & (earned.index <= signal.index.max())].dropna()
    is_long = (signal.reindex(span.index) > 0).astype(float)
    return pd.DataFrame({"is_long": is_long, "earned": span})


def _deflated(returns: Mapping[str, Floats], trials: int) -> dict[str, float]:
    """Deflated Sharpe ratio of each model's log returns; the benchmark is none of the models tried."""
    spread = _variance_of_trials([own for model, own in returns.items() if model != BENCHMARK])
    return {model: deflated_sharpe(own, trials=trials, variance=spread) for model, own in returns.items()}


def _variance_of_trials(returns: list[Floats]) -> float:
    """Variance of the Sharpe ratios found; of one alone, that of an estimate of zero."""
    ratios = [ratio for ratio in map(sharpe_ratio, returns) if np.isfinite(ratio)]
    if len(ratios) > 1:
        return float(np.var(ratios, ddof=1))
    return 1 / max(len(returns[0]) - 1, 1) if returns else 0.0


def _scores(
    result: Trading, hold: Trading, deflated: tuple[float, float], per_year: float
) -> dict[str, float | int | bool]:
    yearly = np.sqrt(per_year)
    net, held = per_year * float(result.net.mean()), per_year * float(hold.net.mean())
    return {
        "n": len(result.net),
        "cost_bp": COST_BP,
        "exposure": result.exposure,
        "turnover": result.sides * per_year / len(result.net),
        "gross_return": per_year * float(result.gross.mean()),
        "net_return": net,
        "sharpe": yearly * sharpe_ratio(result.net),
        "sharpe_se": yearly * sharpe_se(result.net),
        "deflated_sharpe": deflated[0],
        "deflated_sharpe_over_holding": deflated[1],
        "max_drawdown": max_drawdown(result.net),
        "buy_and_hold_return": held,
        "buy_and_hold_sharpe": yearly * sharpe_ratio(hold.net),
        "buy_and_hold_max_drawdown": max_drawdown(hold.net),
        "survives_costs": net > held and all(ratio > CONFIDENCE for ratio in deflated),
    }


def _verdict(model: str, scores: dict[str, float | int | bool], anything_survives: bool) -> str:
    held = f"{_percent(scores['buy_and_hold_return'])} a year for holding, over {scores['n']} sessions"
    if scores["exposure"] == 0:
        who = "The random walk" if model == BENCHMARK else model
        return f"{who} predicts no rise, so it is never long: nothing traded, nothing earned; {held}."
    earned = (
        f"{model} earned {_percent(scores['net_return'])} a year after costs "
        f"({_percent(scores['gross_return'])} before), against {held}; "
        f"deflated Sharpe {_or_unknown(float(scores['deflated_sharpe']))}, of what it earned more than holding "
        f"{_or_unknown(float(scores['deflated_sharpe_over_holding']))}"
    )
    if scores["survives_costs"]:
        return f"{model} survives costs: {earned}."
    return f"{f'{model} does not survive' if anything_survives else 'Nothing survives'} costs: {earned}."


def _percent(fraction: float) -> str:
    return f"{100 * fraction:+.1f} %"


def _or_unknown(value: float) -> str:
    return "unknown" if np.isnan(value) else f"{value:.2f}"


def _sessions_per_year(sessions: pd.Index) -> float:
    """As the ticker's calendar has them: about 252 for stocks, 365 for what is traded every day."""
    days = int((sessions[-1] - sessions[0]).days)
    return (len(sessions) - 1) * _DAYS_A_YEAR / days
