"""Drift: has the distribution of what the models are given changed?

One method for every feature, whatever the number of rows: the distance between the newest `CURRENT` sessions and the
`REFERENCE` sessions before them, as the 1-Wasserstein distance over the reference's standard deviation. Only stationary
features are compared; price levels would drift always. A session's values depend on those before it, so the threshold
is found by resampling whole blocks: the largest distance that any block of `CURRENT` consecutive sessions *inside* the
reference has from it (subsampling: Politis, Romano & Wolf, 1999). A regime that stays becomes part of the reference.

False alarms and power, measured by `python -m benchmarks.drift`, are in docs/adr/0086.
"""

from datetime import datetime

import numpy as np
import pandas as pd
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import ArrayLike

from stock_assets.forecasting.features import FEATURES
from stock_assets.forecasting.models._base import Floats

METHOD = "wasserstein"
CURRENT = 40
REFERENCE = 1000
MIN_REFERENCE = 250
"""Fewest reference sessions: with fewer, there are hardly six blocks to compare."""
SHARE = 0.25
"""Share of the features that must have drifted for the inputs as a whole to count as drifted."""
NEEDED, OF = 8, 10
"""Drift persists when the inputs had drifted in at least `NEEDED` of the newest `OF` sessions checked."""

_STRIDE = 10  # sessions between the starts of two blocks
_TICKERS_AT_ONCE = 32  # bounds the memory of a pass over a universe
_NAMES = [feature.name for feature in FEATURES]


def measure_drift(features: pd.DataFrame, *, checked_at: datetime) -> pd.DataFrame:
    """Rows of table `drift`: each ticker's newest sessions beside those before, all tickers in one pass.

    Takes rows of table `features`. A ticker with fewer than `MIN_REFERENCE` + `CURRENT` sessions has none. `checked_at`
    is now, aware.
    """
    groups: dict[int, list[pd.DataFrame]] = {}
    for _, own in features.sort_values("session").groupby("ticker"):
        n = min(len(own), REFERENCE + CURRENT)
        if n >= MIN_REFERENCE + CURRENT:
            groups.setdefault(n, []).append(own.tail(n))
    parts = [
        _compare(group[start : start + _TICKERS_AT_ONCE], checked_at)
        for group in groups.values()
        for start in range(0, len(group), _TICKERS_AT_ONCE)
    ]
    empty = pd.DataFrame(columns=_COLUMNS).astype(_TYPES)
    return pd.concat([empty, *parts], ignore_index=True) if parts else empty


def drifted_sessions(drift: pd.DataFrame) -> "pd.Series[bool]":
    """Whether one ticker's inputs as a whole had drifted, by session checked (ascending), by its newest check."""
    newest = drift.sort_values("checked_at").drop_duplicates(["current_end", "feature"], keep="last")
    share = newest.groupby("current_end")["drifted"].mean()
    is_drifted: pd.Series[bool] = share.sort_index() >= SHARE
    return is_drifted


def persists(drifted: ArrayLike) -> bool:
    """Whether inputs had drifted in at least `NEEDED` of the newest `OF` sessions checked; takes whether, ascending."""
    return int(np.asarray(drifted, dtype=bool)[-OF:].sum()) >= NEEDED


_EDGES = {"reference_start": 0, "reference_end": -CURRENT - 1, "current_start": -CURRENT, "current_end": -1}
_COLUMNS = ["ticker", "feature", "checked_at", "method", "statistic", "threshold", "drifted", *_EDGES]
_TYPES = {
    "checked_at": "datetime64[ns, UTC]",
    "statistic": "float64",
    "threshold": "float64",
    "drifted": "bool",
    **dict.fromkeys(_EDGES, "datetime64[ns]"),
}


def _compare(batch: list[pd.DataFrame], checked_at: datetime) -> pd.DataFrame:
    """Tickers of equally many sessions."""
    values = np.stack([own[_NAMES].to_numpy(dtype=float) for own in batch])
    statistic, threshold = _distances(values)
    edges = pd.DataFrame({name: [own["session"].iloc[row] for own in batch] for name, row in _EDGES.items()})
    edges["ticker"] = [own["ticker"].iloc[0] for own in batch]
    rows = edges.loc[edges.index.repeat(len(_NAMES))].reset_index(drop=True)
    rows = rows.assign(
        feature=_NAMES * len(batch),
        checked_at=pd.Timestamp(checked_at).as_unit("ns"),
        method=METHOD,
        statistic=statistic.ravel(),
        threshold=threshold.ravel(),
        drifted=(statistic > threshold).ravel(),
    )
    return rows[_COLUMNS].astype(_TYPES)


def _distances(values: Floats) -> tuple[Floats, Floats]:
    """Statistic and threshold, both of shape (tickers, features), of values (tickers, sessions, features)."""
    reference, current = values[:, :-CURRENT], values[:, -CURRENT:]
    # Quantiles at the middles of CURRENT equal steps stand for the reference; W1 is the mean distance of equal ranks.
    ranks = (np.arange(CURRENT) + 0.5) / CURRENT
    quantiles = np.moveaxis(np.quantile(reference, ranks, axis=1), 0, -1)  # (tickers, features, ranks)
    spread = reference.std(axis=1)
    spread = np.where(spread > 0, spread, 1.0)  # a feature that never moved is compared as it is
    own = np.sort(np.moveaxis(current, 1, -1), axis=-1)
    blocks = np.sort(sliding_window_view(reference, CURRENT, axis=1)[:, ::_STRIDE], axis=-1)
    among = np.abs(blocks - quantiles[:, None]).mean(axis=-1).max(axis=1)
    return np.abs(own - quantiles).mean(axis=-1) / spread, among / spread
