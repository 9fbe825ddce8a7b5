"""Calibration: whether the intervals keep their promise, and where they break it.

What belongs here: scores of stored intervals. What does not: how intervals are made (`intervals.py`), and the scores of
points (`evaluation.py`).
"""

from collections.abc import Mapping
from itertools import pairwise

import numpy as np
import pandas as pd

from stock_assets.forecasting import metrics
from stock_assets.forecasting.coverage_tests import christoffersen, kupiec, wilson
from stock_assets.forecasting.intervals import LEVELS
from stock_assets.forecasting.models._base import Floats

_GROUP = ["ticker", "model", "scheme", "role"]
_CALIBRATION = [
    *(*_GROUP, "level", "n", "coverage", "coverage_lower", "coverage_upper", "kupiec_p", "christoffersen_p"),
    *("width", "pinball", "pinball_random_walk", "coverage_calm", "coverage_middle", "coverage_restless", "n_capped"),
]
_PIT = [*_GROUP, "lower", "upper", "n", "share", "expected"]
_COUNTS = ("level", "n", "n_capped")
_LOWER = [(100 - level) / 200 for level in sorted(LEVELS, reverse=True)]
_EDGES = [0.0, *_LOWER, *((100 + level) / 200 for level in LEVELS), 1.0]
"""Probabilities of the published bounds, the median left out: models publish a point, which need not be one."""


def calibrate(predictions: pd.DataFrame, prices: pd.DataFrame) -> pd.DataFrame:
    """Frame of table `calibration`: the intervals of every model, scheme, role and level, where the close is known.

    Takes one ticker's rows of the tables, of all models. Widths and losses are in the ticker's currency. The loss of an
    interval is the mean of the pinball losses of its two ends. The random walk beside it has the quantiles of all log
    returns known at the as-of close, as wide on a calm day as on a wild one.
    """
    known = predictions[predictions["actual"].notna()].sort_values("target_session")
    walk = unconditional_quantiles(prices, known["session"].drop_duplicates()).add_prefix("walk_")
    rows = [
        dict(zip(_GROUP, names, strict=True)) | {"level": level, **_scores(columns, level)}
        for names, group in known.join(walk, on="session").groupby(_GROUP)
        for columns in [{str(name): column.to_numpy() for name, column in group.items()}]
        for level in LEVELS
    ]
    return _typed(rows, _CALIBRATION)


def unconditional_quantiles(prices: pd.DataFrame, sessions: pd.Series) -> pd.DataFrame:
    """Quantiles of all log returns known at the close of each as-of session: the ends of every level's interval.

    Takes one ticker's rows of table `prices`. A frame indexed by session with columns `lower_50`, `upper_50` …, log
    returns; NaN for a session that is not in `prices` or has no return before it.
    """
    bars = prices.sort_values("session")
    returns = np.diff(np.log(bars["adj_close"].to_numpy(dtype=float)))
    known = pd.Series(np.arange(len(bars)), index=bars["session"])
    columns = [f"{side}_{level}" for level in LEVELS for side in ("lower", "upper")]
    probabilities = [_probability(level, side) for level in LEVELS for side in ("lower", "upper")]
    n_known = known.reindex(pd.DatetimeIndex(sessions)).fillna(0).astype(int)
    rows = [np.quantile(returns[:n], probabilities) if n else np.full(len(columns), np.nan) for n in n_known]
    return pd.DataFrame(np.reshape(rows, (-1, len(columns))), index=n_known.index, columns=columns)


def pit_histogram(predictions: pd.DataFrame) -> pd.DataFrame:
    """Frame of table `pit_histogram`: where closes fell among the published bounds, by model, scheme and role.

    Diebold, Gunther & Tay (1998), International Economic Review 39; Gneiting, Balabdaoui & Raftery (2007), J. R.
    Statistical Society B 69. Only the published quantiles are known, so the nine bins are the gaps between them, of
    unequal probability. A close on a bound counts as inside, as it does for coverage. Takes one ticker's rows of table
    `predictions`, of all models.
    """
    known = predictions[predictions["actual"].notna()]
    rows = []
    for names, group in known.groupby(_GROUP):
        actual = group["actual"].to_numpy()[:, None]
        above = (actual >= group[[f"lower_{level}" for level in LEVELS]].to_numpy()).sum(axis=1)
        above += (actual > group[[f"upper_{level}" for level in LEVELS]].to_numpy()).sum(axis=1)
        counts = np.bincount(above, minlength=len(_EDGES) - 1)
        rows += [
            dict(zip(_GROUP, names, strict=True))
            | {"lower": lower, "upper": upper, "n": n, "share": n / len(group), "expected": upper - lower}
            for (lower, upper), n in zip(pairwise(_EDGES), counts, strict=True)
        ]
    return _typed(rows, _PIT)


def as_markdown(calibration: pd.DataFrame) -> str:
    """Coverage and loss of the 90 % interval, for people."""
    shown = calibration[calibration["level"] == 90].copy()
    shown["pinball_ratio"] = shown["pinball"] / shown["pinball_random_walk"]
    columns = ["model", "scheme", "role", "n", "coverage", "coverage_lower", "coverage_upper", "kupiec_p"]
    return str(shown[[*columns, "pinball_ratio", "n_capped"]].to_markdown(index=False, floatfmt=".3f"))


def _scores(columns: Mapping[str, Floats], level: int) -> dict[str, object]:
    # Plain arrays: this is asked for each model, role and level, and a Series takes longer to make than to use.
    actual, lower, upper = (columns[name] for name in ("actual", f"lower_{level}", f"upper_{level}"))
    is_inside = (lower <= actual) & (actual <= upper)
    hits, n = int(is_inside.sum()), len(actual)
    coverage_lower, coverage_upper = wilson(hits, n)
    walk_lower, walk_upper = (columns["naive"] * np.exp(columns[f"walk_{end}_{level}"]) for end in ("lower", "upper"))
    calm, middle, restless = _by_volatility(is_inside, columns["volatility"])
    return {
        "n": n,
        "coverage": hits / n,
        "coverage_lower": coverage_lower,
        "coverage_upper": coverage_upper,
        "kupiec_p": kupiec(hits, n, level / 100),
        "christoffersen_p": christoffersen(~is_inside),
        "width": metrics.mean_width(lower, upper),
        "pinball": _pinball(actual, lower, upper, level),
        "pinball_random_walk": _pinball(actual, walk_lower, walk_upper, level),
        "coverage_calm": calm,
        "coverage_middle": middle,
        "coverage_restless": restless,
        "n_capped": int((columns["capped"] > 0).sum()),
    }


def _pinball(actual: Floats, lower: Floats, upper: Floats, level: int) -> float:
    ends = ((lower, _probability(level, "lower")), (upper, _probability(level, "upper")))
    return sum(metrics.pinball(actual, quantile, probability) for quantile, probability in ends) / 2


def _probability(level: int, side: str) -> float:
    return (100 - level) / 200 if side == "lower" else (100 + level) / 200


def _by_volatility(is_inside: "np.ndarray[tuple[int], np.dtype[np.bool_]]", volatility: Floats) -> list[float]:
    """Share inside in each third of the rows, the calmest first; NaN for a third that is empty."""
    thirds = np.array_split(is_inside[np.argsort(volatility, kind="stable")], 3)
    return [float(third.mean()) if len(third) else float("nan") for third in thirds]


def _typed(rows: list[dict[str, object]], columns: list[str]) -> pd.DataFrame:
    """The rows as a frame whose columns have their types even where there is no row."""
    types = {name: "object" if name in _GROUP else "int64" if name in _COUNTS else "float64" for name in columns}
    return pd.DataFrame(rows, columns=columns).astype(types)
