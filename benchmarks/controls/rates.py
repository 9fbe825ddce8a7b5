"""The rates that must hold, and whether they do."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from benchmarks.controls.measure import LEVELS
from stock_assets.forecasting.models import BENCHMARK

Result = Mapping[str, Any]

ALPHA = 0.05
CLARK_WEST = (0.03, 0.07)
DM_AT_MOST = 0.06
PROMOTED_AT_MOST = 0.05
FOUND_AT_LEAST = 0.80
COVERAGE_WITHIN = 0.02
FEWEST_ROWS = 750
"""Walk-forward rows that a planted signal is looked for in."""
ENOUGH_TICKERS = 1000
"""From here on a rate on series without signal must lie within its bounds as it is; below, chance has `ROOM`."""
ROOM = 2.0
"""Standard errors that a rate over fewer tickers may lie outside."""
_BEYOND_CHANCE = 3.0  # standard errors


@dataclass(frozen=True)
class Rate:
    """One rate beside its bounds.

    Attributes:
        control: which series.
        question: what was counted.
        model: of which model, or `any`.
        tickers: tickers it is over.
        value: the rate.
        standard_error: Monte-Carlo standard error of the rate.
        low: least it may be.
        high: most it may be.
        room: standard errors it may lie outside, where there are too few tickers to tell.
    """

    control: str
    question: str
    model: str
    tickers: int
    value: float
    standard_error: float
    low: float = 0.0
    high: float = 1.0
    room: float = 0.0

    @property
    def is_within(self) -> bool:
        """Whether the rate is within its bounds. A rate that is not a number is not."""
        return self.low <= self.value <= self.high

    @property
    def holds(self) -> bool:
        """Whether it is within its bounds or, with too few tickers to tell, near enough to them."""
        return self.is_within or self._outside <= self.room

    @property
    def is_broken(self) -> bool:
        """Whether it is so far outside that a few tickers are enough to tell."""
        return not self.is_within and not self._outside <= _BEYOND_CHANCE

    @property
    def _outside(self) -> float:
        """How far outside it lies, in standard errors of a rate at the bound."""
        nearest = min(max(self.value, self.low), self.high)
        at_bound = np.sqrt(nearest * (1 - nearest) / self.tickers)
        return float(abs(self.value - nearest) / max(self.standard_error, at_bound))


def rates(results: Sequence[Result]) -> list[Rate]:
    """Every rate of the controls that were run.

    Args:
        results: from `measure`, of any controls.

    Raises:
        ValueError: a planted ticker has fewer walk-forward rows than the rate is promised for.
    """
    by_control: dict[str, list[Result]] = {}
    for result in results:
        by_control.setdefault(result["control"], []).append(result)
    return [rate for control, of in by_control.items() for rate in _RULES[control](control, of)]


def _null(control: str, results: Sequence[Result]) -> Iterator[Rate]:
    low, high = CLARK_WEST
    for model, scores in _by_model(results):
        rejected = _below(scores, "clark_west_p")
        yield _share(control, "Clark–West rejects at 5 %", model, rejected, low, high, _room(rejected))
    for model, scores in _by_model(results):
        rejected = _below(scores, "dm_hln_p")
        yield _share(control, "Diebold–Mariano “better” at 5 %", model, rejected, 0.0, DM_AT_MOST, _room(rejected))
    promoted = _promoted(results)
    yield _share(control, "any model promoted", "any", promoted, 0.0, PROMOTED_AT_MOST, _room(promoted))


def _permuted(control: str, results: Sequence[Result]) -> Iterator[Rate]:
    for model, scores in _by_model(results):
        rejected = _below(scores, "clark_west_p")
        yield _share(control, "Clark–West rejects at 5 %", model, rejected, 0.0, CLARK_WEST[1], _room(rejected))
    promoted = _promoted(results)
    yield _share(control, "any model promoted", "any", promoted, 0.0, PROMOTED_AT_MOST, _room(promoted))


def _planted(control: str, results: Sequence[Result]) -> Iterator[Rate]:
    fewest = min(score["n"] for result in results for score in result["scores"].values())
    if fewest < FEWEST_ROWS:
        raise ValueError(f"a planted ticker has {fewest} walk-forward rows, expected at least {FEWEST_ROWS}")
    yield _share(control, "any model promoted", "any", _promoted(results), FOUND_AT_LEAST, 1.0)


def _coverage(control: str, results: Sequence[Result]) -> Iterator[Rate]:
    for level in LEVELS:
        for model, scores in _by_model(results):
            inside = np.array([score[f"inside_{level}"] for score in scores])
            error = float(inside.std(ddof=1) / np.sqrt(len(inside))) if len(inside) > 1 else float("nan")
            promise = level / 100
            yield Rate(
                control,
                f"closes inside the {level} % interval",
                model,
                len(inside),
                float(inside.mean()),
                error,
                round(promise - COVERAGE_WITHIN, 2),
                round(promise + COVERAGE_WITHIN, 2),
            )


_RULES = {
    "null": _null,
    "planted": _planted,
    "permuted": _permuted,
    "permuted_bundled": _permuted,
    "volatility": _coverage,
}


def _by_model(results: Sequence[Result]) -> Iterator[tuple[str, list[Mapping[str, float]]]]:
    for model in dict.fromkeys(model for result in results for model in result["scores"]):
        yield model, [result["scores"][model] for result in results if model in result["scores"]]


def _below(scores: Sequence[Mapping[str, float]], p_value: str) -> list[bool]:
    # A model that says nothing at all has no p-value, and rejects nothing.
    return [score[p_value] < ALPHA for score in scores]


def _promoted(results: Sequence[Result]) -> list[bool]:
    return [result["champion"] != BENCHMARK for result in results]


def _room(hits: Sequence[bool]) -> float:
    return 0.0 if len(hits) >= ENOUGH_TICKERS else ROOM


def _share(
    control: str, question: str, model: str, hits: Sequence[bool], low: float, high: float, room: float = 0.0
) -> Rate:
    share = float(np.mean(hits))
    error = float(np.sqrt(share * (1 - share) / len(hits)))
    return Rate(control, question, model, len(hits), share, error, low, high, room)
