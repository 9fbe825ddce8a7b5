"""The check of features, on every ticker of a run at once: finite, complete, and without a look into the future.

A few sessions of each ticker, spread over its history, are computed again from bars that end there. One query does so
for all tickers, each cut at the same share of its own history. A formula that forgets the ticker would find other
tickers' later sessions in such a query, so one ticker is also computed from its own bars alone.
"""

from datetime import date

import numpy as np
import pandas as pd

from stock_assets.forecasting import features as formulas
from stock_assets.forecasting.errors import TooFewRows
from stock_assets.forecasting.features import WARM_UP, compute_features
from stock_assets.forecasting.findings import Finding, as_dates

_RECOMPUTED = 5  # sessions of each ticker: a leak shows in nearly every row, so a few are enough


def check_features(features: pd.DataFrame, prices: pd.DataFrame) -> dict[str, list[Finding]]:
    """Ticker → one finding per rule that is broken by its features, of every ticker that has prices.

    Every value is finite; there is exactly one row per session after the warm-up; and a few sessions, computed again
    from prices that end there, are equal to the last bit.
    """
    names = [feature.name for feature in formulas.FEATURES]
    bars = prices.sort_values(["ticker", "session"], ignore_index=True)
    rows = features.sort_values(["ticker", "session"], ignore_index=True)
    changed = _changed(_asked(rows, bars), bars, names)
    of_ticker = dict(iter(rows.groupby("ticker")))
    found = {}
    for ticker, own in bars.groupby("ticker"):
        mine = of_ticker.get(ticker, rows.iloc[:0])
        is_finite = np.isfinite(mine[names].to_numpy(dtype=float)).all(axis=1)
        later = changed.loc[changed["ticker"] == ticker, "session"]
        faults = (
            ("features_finite", "features that are not finite", as_dates(mine.loc[~is_finite, "session"])),
            ("features_complete", "sessions that are missing, unknown or twice", _not_complete(mine, own)),
            ("features_causal", "features that change when later bars are left out", as_dates(later)),
        )
        found[str(ticker)] = [
            Finding(rule, "error", f"{message}: {len(sessions)}, first {sessions[0]}, last {sessions[-1]}", sessions)
            for rule, message, sessions in faults
            if sessions
        ]
    return found


def _asked(rows: pd.DataFrame, bars: pd.DataFrame) -> pd.DataFrame:
    """The sessions to compute again, with `cut`, the number of the place: the first, …, the last of each ticker."""
    position = bars.groupby("ticker").cumcount()
    known = rows.merge(bars.loc[position >= WARM_UP, ["ticker", "session"]], on=["ticker", "session"])
    parts = []
    for _, own in known.groupby("ticker"):
        places = np.unique(np.linspace(0, len(own) - 1, _RECOMPUTED).astype(int))
        parts.append(own.iloc[places].assign(cut=range(len(places))))
    return pd.concat(parts, ignore_index=True) if parts else known.assign(cut=0)


def _changed(asked: pd.DataFrame, bars: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    """Of the rows asked for, those whose values are others when nothing after them is known."""
    changed = []
    for _, of_cut in asked.groupby("cut"):
        end = bars["ticker"].map(of_cut.set_index("ticker")["session"])
        changed.append(_differing(of_cut, bars[bars["session"] <= end], names))
    if len(asked["ticker"].unique()) > 1:
        first = asked["ticker"].iloc[0]
        changed.append(_differing(asked[asked["ticker"] == first], bars[bars["ticker"] == first], names))
    return pd.concat(changed, ignore_index=True) if changed else asked


def _differing(stored: pd.DataFrame, known: pd.DataFrame, names: list[str]) -> pd.DataFrame:
    try:
        again = compute_features(known).set_index(["ticker", "session"])
    except TooFewRows:
        return stored
    here = again.reindex(pd.MultiIndex.from_frame(stored[["ticker", "session"]]))[names].to_numpy(dtype=float)
    was = stored[names].to_numpy(dtype=float)
    is_same = ((here == was) | (np.isnan(here) & np.isnan(was))).all(axis=1)
    differing: pd.DataFrame = stored[~is_same]
    return differing


def _not_complete(rows: pd.DataFrame, bars: pd.DataFrame) -> tuple[date, ...]:
    expected, found = bars["session"].iloc[WARM_UP:], rows["session"]
    return as_dates(
        pd.concat([expected[~expected.isin(found)], found[~found.isin(expected)], found[found.duplicated()]])
    )
