"""Bars as Yahoo would know them, told from the traded prices and the actions up to a day."""

from datetime import date

import numpy as np
import pandas as pd

from stock_assets.forecasting.sessions import sessions_between


def bars_known_on(
    day: date, *, dividends: dict[date, float] | None = None, splits: dict[date, float] | None = None, seed: int = 0
) -> pd.DataFrame:
    """Daily bars from 2023-01-03 to `day` in the contract's columns, adjusted for the actions up to `day`.

    Prices are a seeded random walk, divided by the splits so far as Yahoo does; adj_close is the close times the factor
    1 − dividend / close before, for each later dividend.
    """
    sessions = sessions_between("XNYS", date(2023, 1, 3), day)
    rng = np.random.default_rng(seed)
    returns = rng.normal(0, 0.015, 2000)[: len(sessions)]
    wiggle = rng.uniform(0.001, 0.01, (2000, 3))[: len(sessions)]
    close = 100 * np.exp(np.cumsum(returns))  # in shares of the beginning
    adjusted = close.copy()
    paid, ratios = np.zeros(len(sessions)), np.zeros(len(sessions))
    for ex_date, amount in (dividends or {}).items():
        if ex_date <= day:
            place = int(sessions.get_loc(pd.Timestamp(ex_date)))
            adjusted[:place] *= 1 - amount / close[place - 1]
            paid[place] = amount
    per_share = 1.0
    for ex_date, ratio in (splits or {}).items():
        if ex_date <= day:
            ratios[int(sessions.get_loc(pd.Timestamp(ex_date)))] = ratio
            per_share *= ratio
    return pd.DataFrame(
        {
            "session": sessions,
            "open": close * (1 + wiggle[:, 2] - 0.005) / per_share,
            "high": close * (1 + wiggle[:, 0] + 0.01) / per_share,
            "low": close * (1 - wiggle[:, 1] - 0.01) / per_share,
            "close": close / per_share,
            "adj_close": adjusted / per_share,
            "volume": np.round(rng.uniform(1e6, 2e6, 2000)[: len(sessions)]) * per_share,
            "dividends": paid / per_share,
            "stock_splits": ratios,
        }
    )
