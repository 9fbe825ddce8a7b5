"""Worker processes for what needs cores: fits go out, results come back, nothing is written here.

A unit gets rows and settings and returns an artifact and rows, so that a worker needs no disk of ours and a killed one
loses nothing. Workers load their libraries once and stay for the length of a run, with one library thread each.
"""

import os
import pickle
import signal
import sys
import threading
import time
import warnings
from collections import deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from typing import Any

import dagster as dg
from pydantic import Field, PrivateAttr

from stock_assets.errors import StockAssetsError
from stock_assets.forecasting.models import discover
from stock_assets.forecasting.units import AskUnit, Unit
from stock_assets.forecasting.warming import WarmingUnit
from stock_assets.settings import load_settings

FITS_TAG = "stock_assets/fits"
"""Marks the jobs that fit models."""

_TRIES = 3
"""How often the units that a dead worker took with it are given out again; the last time each alone."""


class WorkerDied(StockAssetsError):
    """The process that worked on a unit was killed, each time."""


class Workers(dg.ConfigurableResource):  # type: ignore[type-arg]  # its type parameter is for resources that yield something else
    """Processes of this machine."""

    n: int = Field(default=0, ge=0, description="Worker processes; 0: STOCK_ASSETS_WORKERS, by default one a core.")
    _warming: Iterator[Any] = PrivateAttr(default_factory=lambda: iter(()))

    def setup_for_execution(self, context: dg.InitResourceContext) -> None:
        """Where a run will fit, workers load their libraries while its first steps are at work."""
        if context.run is not None and FITS_TAG in context.run.tags and self._wanted > 1:
            unit = WarmingUnit(_models(context.run.asset_selection))
            self._warming = _given_out([(number, unit) for number in range(self._wanted)], self._wanted)

    @property
    def _wanted(self) -> int:
        return self.n or load_settings().workers

    def run(self, units: Sequence[Unit]) -> Iterator[tuple[int, Any]]:
        """Perform units, in whatever order; yields each one's position and its result, or the exception it raised.

        Stored fits are asked in this very process, and everything is done there where there is one worker. A result
        depends neither on where its unit was performed nor on which others were.
        """
        n = self._wanted
        # To ask a stored fit takes less time than to send it away.
        away = {number: unit for number, unit in enumerate(units) if n > 1 and not isinstance(unit, AskUnit)}
        yield from ((number, _performed(unit)) for number, unit in enumerate(units) if number not in away)
        if away:
            with suppress(BrokenProcessPool):  # whoever needs a worker is told of its end
                deque(self._warming, maxlen=0)
            yield from _in_processes(away, n)

    def teardown_after_execution(self, context: dg.InitResourceContext) -> None:
        """The run is over: so are its workers."""
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # joblib tells of work that nobody waited for: a run found all of its fits
            self._warming = iter(())
        _end_workers()


def _models(selection: Collection[dg.AssetKey] | None) -> tuple[str, ...]:
    """The models of a run, by what is to be made; None: everything."""
    chosen = {key.path[-1] for key in selection or ()}
    return tuple(name for name in discover() if not chosen or name in chosen)


def _in_processes(units: Mapping[int, Unit], n: int) -> Iterator[tuple[int, Any]]:
    left = dict(units)
    for attempt in range(1, _TRIES + 1):
        alone = attempt == _TRIES
        for group in [[number] for number in left] if alone else [list(left)]:
            try:
                for number, result in _distributed([(number, left[number]) for number in group], n):
                    del left[number]
                    yield number, result
            except BrokenProcessPool:
                if alone:
                    problem = f"the worker process that it was given to was killed, {_TRIES} times"
                    out_of = "see whether the machine ran out of memory (STOCK_ASSETS_WORKERS=1 needs the least)"
                    yield group[0], WorkerDied(problem, cure=f"{out_of}, and run it again")
        if not left:
            return


def _distributed(numbered: Sequence[tuple[int, Unit]], n: int) -> Iterator[tuple[int, Any]]:
    try:
        yield from _given_out(numbered, n)
    except BaseException:  # also where nobody waits for the rest
        _end_workers()
        raise


def _given_out(numbered: Sequence[tuple[int, Unit]], n: int) -> Iterator[tuple[int, Any]]:
    """Workers are at work on return; the results are waited for."""
    import joblib

    with joblib.parallel_config(backend="loky", n_jobs=n, inner_max_num_threads=1):
        # `max_nbytes`: no rows on the disk on their way to a worker.
        parallel = joblib.Parallel(return_as="generator_unordered", batch_size=1, max_nbytes=None)
        results: Iterator[tuple[int, Any]] = parallel(
            joblib.delayed(_in_worker)(number, unit) for number, unit in numbered
        )
        return results


def _end_workers() -> None:
    if "joblib" in sys.modules:
        from joblib.externals.loky import get_reusable_executor

        get_reusable_executor().shutdown(wait=True, kill_workers=True)


def _in_worker(number: int, unit: Unit) -> tuple[int, Any]:
    _settle()
    return number, _performed(unit)


def _performed(unit: Unit) -> Any:
    try:
        return unit.perform()
    except Exception as error:  # noqa: BLE001 - it is handed to whoever asked for the unit
        return _portable(error)


def _portable(error: Exception) -> Exception:
    """An error that survives the way between processes; one that cannot is told in words."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 - made in this very line
    except Exception:  # noqa: BLE001 - pickling can fail in every way
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


_settled = threading.Event()


def _settle() -> None:
    """Once a worker: Ctrl-C is for the process that works with it, and when that one dies, so does the worker."""
    if _settled.is_set():
        return
    _settled.set()
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    threading.Thread(target=_leave_with, args=(os.getppid(),), daemon=True).start()


def _leave_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(1.0)
    os._exit(1)
