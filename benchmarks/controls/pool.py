"""Many tickers in a few processes, with a cache that an interrupted run goes on from."""

import json
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from benchmarks.controls.cases import Case
from benchmarks.controls.measure import measure
from stock_assets import forecasting
from stock_assets.forecasting.manifest import digest

_ROOT = Path(__file__).resolve().parents[2]
_SAY_EVERY = 10.0  # seconds


def measure_all(cases: Sequence[Case], cache: Path, *, jobs: int) -> Iterator[dict[str, Any]]:
    """Results of all cases, those of the cache first.

    Args:
        cases: what to measure.
        cache: JSON lines, by case and code; results are added as they come.
        jobs: processes, of one thread each.
    """
    cache.parent.mkdir(parents=True, exist_ok=True)
    lines = cache.read_text(encoding="utf-8").splitlines() if cache.exists() else []
    known = {line["address"]: line["result"] for line in map(json.loads, lines)}
    code = _code_version()
    addresses = {digest([code, asdict(case)]): case for case in cases}
    yield from (known[address] for address in addresses if address in known)
    todo = {address: case for address, case in addresses.items() if address not in known}
    # A fresh interpreter for each worker: threads of numerical libraries do not survive a fork.
    with (
        ProcessPoolExecutor(jobs, mp_context=get_context("spawn"), initializer=_one_thread) as pool,
        cache.open("a", encoding="utf-8") as file,
    ):
        futures = {pool.submit(measure, case): address for address, case in todo.items()}
        progress = _Progress(len(todo), len(cases) - len(todo))
        for done in as_completed(futures):
            result = done.result()
            print(json.dumps({"address": futures[done], "result": result}), file=file, flush=True)
            progress.count(result["control"])
            yield result


def _one_thread() -> None:
    """Two processes of one thread each do more than one of two; the limit holds for as long as the process."""
    from threadpoolctl import threadpool_limits

    threadpool_limits(limits=1)


def _code_version() -> str:
    """Hash of everything that decides a result."""
    folders = [Path(forecasting.__path__[0]), Path(__file__).parent]
    files = [*(path for folder in folders for path in sorted(folder.rglob("*.py"))), _ROOT / "tests" / "synthetic.py"]
    return digest([path.read_text(encoding="utf-8") for path in files])


class _Progress:
    """A line now and then: how many are done, how fast, how long it will take."""

    def __init__(self, n: int, n_known: int) -> None:
        self._n, self._done = n, 0
        self._started = self._said = time.monotonic()
        if n_known:
            print(f"{n_known} tickers are done already", file=sys.stderr)

    def count(self, control: str) -> None:
        self._done += 1
        now = time.monotonic()
        if now - self._said < _SAY_EVERY and self._done < self._n:
            return
        self._said = now
        rate = self._done / (now - self._started)
        left = (self._n - self._done) / rate / 60
        print(f"{control}: {self._done}/{self._n} tickers, {rate:.2f} a second, {left:.0f} min left", file=sys.stderr)
