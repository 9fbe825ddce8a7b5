"""Look-ahead proofs: what is said of a session does not change when later bars are left out or are different."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import pandas as pd

from stock_assets.forecasting.features import FEATURES, WARM_UP, compute_features
from stock_assets.forecasting.history import build_history
from stock_assets.forecasting.intervals import LEVELS
from stock_assets.forecasting.manifest import Manifest
from stock_assets.forecasting.models import discover
from stock_assets.forecasting.predictions import predict_sessions
from stock_assets.forecasting.stored_model import StoredModel

Compute = Callable[[pd.DataFrame], pd.DataFrame]

_SHARES = (0.5, 0.85)
"""Where the history is cut, and once more before its last session: a leak of one session shows in every cut."""
_SHOCK = 0.05
_WAYS = {"truncated": "from bars that end there", "perturbed": "when later bars are different"}
"""How the bars after a cut are changed: field of `Cut`, and in words."""
NETWORK_TOLERANCE = 1e-6
"""How far two predictions of one network may differ in log returns (4e-9 was measured): kernels add in any order."""


@dataclass(frozen=True)
class Examination:
    """What one examination found, as in table `audit`; `statistic` is NaN where there is no number.

    A proof must hold; a flag is raised by what is too good to be believed without proof.
    """

    name: str
    passed: bool
    message: str
    statistic: float = float("nan")
    limit: float = float("nan")
    kind: Literal["proof", "flag"] = "proof"


@dataclass(frozen=True)
class Cut:
    """One session, the bars up to it, and all bars with those after it moved at random."""

    session: pd.Timestamp
    truncated: pd.DataFrame
    perturbed: pd.DataFrame


def cuts(prices: pd.DataFrame, *, seed: int = 0) -> list[Cut]:
    """Cut one ticker's bars (table `prices`, more than the warm-up) in a few places."""
    bars = prices.sort_values("session", ignore_index=True)
    last = len(bars) - 2
    at = {max(WARM_UP, min(last, int(share * len(bars)))) for share in _SHARES} | {last}
    rng = np.random.default_rng(seed)
    return [Cut(bars["session"].iloc[row], bars.iloc[: row + 1], _perturbed(bars, row + 1, rng)) for row in sorted(at)]


def _perturbed(bars: pd.DataFrame, start: int, rng: np.random.Generator) -> pd.DataFrame:
    """`bars` with everything from row `start` on moved along a random path; each bar keeps its shape."""
    n = len(bars) - start
    price = np.concatenate([np.ones(start), np.exp(np.cumsum(_SHOCK * rng.standard_normal(n)))])
    volume = np.concatenate([np.ones(start), np.exp(rng.standard_normal(n))])
    factors = dict.fromkeys(("open", "high", "low", "close", "adj_close"), price) | {"volume": volume}
    return bars.assign(**{name: bars[name] * factor for name, factor in factors.items()})


def examine_features(
    features: pd.DataFrame, places: Sequence[Cut], *, compute: Compute = compute_features
) -> list[Examination]:
    """Prove that every stored feature up to each cut is the same, to the last bit, without the future."""
    names = [feature.name for feature in FEATURES]
    return [_features_finding(way, features, names, places, compute) for way in _WAYS]


def _features_finding(
    way: str, stored: pd.DataFrame, names: list[str], places: Sequence[Cut], compute: Compute
) -> Examination:
    name, how = f"features_{way}", _WAYS[way]
    changed: dict[str, float] = {}
    for place in places:
        again = compute(getattr(place, way))
        for column, difference in _differences(stored, again, place.session, names).items():
            changed[column] = max(changed.get(column, 0.0), difference)
    largest = max(changed.values(), default=0.0)
    wrong = [column for column, difference in changed.items() if difference > 0]
    if wrong:
        message = f"{', '.join(wrong)} of the same sessions came out otherwise {how}: a look into the future"
        return Examination(name, False, message, largest, 0.0)
    sessions = ", ".join(f"{place.session:%Y-%m-%d}" for place in places)
    return Examination(name, True, f"every feature up to {sessions} is the same bit for bit {how}", 0.0, 0.0)


def examine_predictions(
    fits: Iterable[StoredModel], history: pd.DataFrame, places: Sequence[Cut], *, compute: Compute = compute_features
) -> list[Examination]:
    """Prove that no prediction and no interval bound of one model's fits changes when the future does."""
    histories = {
        way: [build_history(getattr(place, way), compute(getattr(place, way))) for place in places] for way in _WAYS
    }
    moved, tolerance = dict.fromkeys(_WAYS, 0.0), 0.0
    for fit in fits:
        tolerance = tolerance_of(fit.manifest)
        full = _answers(fit, history)
        for way, others in histories.items():
            for place, other in zip(places, others, strict=True):
                found = _differences(full, _answers(fit, other), place.session, _ANSWERS)
                moved[way] = max([moved[way], *found.values()])
    return [
        Examination(
            f"predictions_{way}",
            largest <= tolerance,
            f"predictions and bounds of the same sessions differ by {largest:.3g} in log returns {_WAYS[way]}; "
            f"{'within' if largest <= tolerance else 'a look into the future: beyond'} {tolerance:.0g}",
            largest,
            tolerance,
        )
        for way, largest in moved.items()
    ]


_ANSWERS = ["predicted_log_return", *(f"{side}_{level}" for level in LEVELS for side in ("lower", "upper"))]


def _answers(fit: StoredModel, history: pd.DataFrame) -> pd.DataFrame:
    """What a fit says of every session of a history: log returns."""
    asked = pd.Series("test", index=history["session"])
    following = (history["session"].iloc[-1] + pd.Timedelta(days=1)).date()
    rows = predict_sessions(fit, history, asked, ticker=fit.manifest.ticker, fold="live", following=following)
    return rows.assign(**{name: np.log(rows[name] / rows["naive"]) for name in _ANSWERS[1:]})


def _differences(
    stored: pd.DataFrame, again: pd.DataFrame, until: pd.Timestamp, names: Sequence[str]
) -> dict[str, float]:
    """Largest difference of each column up to a session; infinite where a session or a value is on one side only."""
    left, right = (frame[frame["session"] <= until].set_index("session").sort_index() for frame in (stored, again))
    if not left.index.equals(right.index):
        return dict.fromkeys(names, float("inf"))
    found = {}
    for name in names:
        pair = left[name].to_numpy(dtype=float), right[name].to_numpy(dtype=float)
        is_same = (pair[0] == pair[1]) | (np.isnan(pair[0]) & np.isnan(pair[1]))
        gaps = np.nan_to_num(np.abs(pair[0] - pair[1])[~is_same], nan=np.inf)
        found[name] = float(gaps.max(initial=0.0))
    return found


def tolerance_of(manifest: Manifest) -> float:
    """How far two answers of one fit may differ, asked alone, in a batch, or again: 0 without a network in it."""
    models = discover()
    is_exact = all(models[name].is_exact for name in (manifest.model, *manifest.parents) if name in models)
    return 0.0 if is_exact else NETWORK_TOLERANCE
