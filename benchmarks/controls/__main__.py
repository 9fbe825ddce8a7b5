"""`make controls`: do tests of skill, promotion and intervals keep their promises where the truth is known?

    python -m benchmarks.controls [--tickers N] [--controls null,planted] [--jobs 2] [--cache FILE] [--document FILE]

Every ticker goes through the platform's own prices, features, folds, models, evaluation and promotion. A run that was
interrupted goes on where it stopped, as long as the code is the same. The document is written by whole runs only. Exit
code 1 where a rate does not hold.

    --tickers N     a quick look: N tickers of each control, where only a rate far outside its bounds counts
    --controls A,B  only these
"""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

from benchmarks.controls.cases import CONTROLS, Case
from benchmarks.controls.document import as_markdown, document
from benchmarks.controls.pool import measure_all
from benchmarks.controls.rates import Rate, rates

TICKERS = {"null": 1000, "planted": 200, "permuted": 200, "permuted_bundled": 155, "volatility": 100}
FOREST_TICKERS = {"null": 40, "planted": 10, "volatility": 10}
"""How many of them are given to the random forest, too: it takes five times as long as all else together."""
_ROOT = Path(__file__).resolve().parents[2]


def main() -> int:
    options = _parse_arguments()
    cases = [case for name in options.controls for case in _cases(name, options.tickers)]
    started = time.monotonic()
    results = list(measure_all(cases, options.cache, jobs=options.jobs))
    print(f"{len(cases)} tickers in {(time.monotonic() - started) / 60:.1f} min", file=sys.stderr)
    found = rates(results)
    print(as_markdown(found))
    is_whole = options.tickers is None and set(options.controls) == set(CONTROLS)
    if is_whole:
        options.document.write_text(document(found, results), encoding="utf-8")
    return _verdict(found, is_whole=options.tickers is None)


def _verdict(found: Sequence[Rate], *, is_whole: bool) -> int:
    """Exit code, after a line that cannot be overlooked for each rate that does not hold."""
    failed = [rate for rate in found if (not rate.holds if is_whole else rate.is_broken)]
    for rate in failed:
        print(
            f"!!! DOES NOT HOLD: {rate.control}, {rate.model}: {rate.question} in {rate.value:.1%} of {rate.tickers}, "
            f"expected {rate.low:.0%} to {rate.high:.0%}",
            file=sys.stderr,
        )
    if not failed:
        print("every rate holds" if is_whole else "no rate is far outside its bounds", file=sys.stderr)
    return 1 if failed else 0


def _parse_arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tickers", type=int, help="tickers of each control at most")
    parser.add_argument("--controls", type=lambda text: text.split(","), default=list(CONTROLS))
    parser.add_argument("--jobs", type=int, default=2, help="processes, of one thread each")
    parser.add_argument("--cache", type=Path, default=_ROOT / "build" / "controls.jsonl")
    parser.add_argument("--document", type=Path, default=_ROOT / "docs" / "controls.md")
    options = parser.parse_args()
    unknown = sorted(set(options.controls) - set(CONTROLS))
    if unknown:
        parser.error(f"unknown controls {', '.join(unknown)}; expected some of {', '.join(CONTROLS)}")
    if options.tickers is not None and options.tickers < 1:
        parser.error(f"--tickers is {options.tickers}, expected at least 1")
    return options


def _cases(control: str, at_most: int | None) -> list[Case]:
    n = TICKERS[control] if at_most is None else min(at_most, TICKERS[control])
    n_forest = FOREST_TICKERS.get(control, 0) if at_most is None else 0
    quick = ("least_squares", "xgboost")
    return [Case(control, number, (*quick, "random_forest") if number < n_forest else quick) for number in range(n)]


if __name__ == "__main__":
    sys.exit(main())
