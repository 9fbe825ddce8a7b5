"""Worker processes: the same results as without them, and what becomes of units whose process is killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import dagster as dg
import psutil
import pytest

from stock_assets.errors import StockAssetsError
from stock_assets.workers import WorkerDied, Workers, _given_out


@dataclass(frozen=True)
class Square:
    """A unit; its result names the process that made it."""

    number: int

    def perform(self) -> tuple[int, int]:
        """The square, and who made it."""
        return self.number**2, os.getpid()


class Curable(StockAssetsError):
    """An error of ours."""


class _Unportable(Exception):
    """It cannot be sent between processes."""

    def __init__(self, number: int, *, why: str) -> None:
        super().__init__(f"{number}: {why}")


@dataclass(frozen=True)
class Failing:
    """A unit that raises."""

    kind: str

    def perform(self) -> None:
        """Raise it."""
        if self.kind == "ours":
            raise Curable("too little", cure="give more")
        if self.kind == "unportable":
            raise _Unportable(7, why="odd")
        raise ZeroDivisionError("division by zero")


@dataclass(frozen=True)
class Killing:
    """A unit that kills its process, so often as the folder says; then it succeeds."""

    folder: Path
    times: int

    def perform(self) -> str:
        """Die, or not any more."""
        number = len(list(self.folder.iterdir()))
        if number < self.times:
            (self.folder / str(number)).touch()
            os.kill(os.getpid(), signal.SIGKILL)
        return "alive"


@pytest.fixture
def two() -> Iterator[Workers]:
    """Two worker processes."""
    workers = Workers(n=2)
    yield workers
    workers.teardown_after_execution(dg.build_init_resource_context())


def _performed(workers: Workers, *units: Any) -> dict[int, Any]:
    return dict(workers.run(units))


def test_one_worker_is_this_very_process() -> None:
    found = _performed(Workers(n=1), *(Square(number) for number in range(4)))
    assert found == {number: (number**2, os.getpid()) for number in range(4)}


def test_how_many_there_are_is_a_setting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCK_ASSETS_WORKERS", "1")
    assert _performed(Workers(), Square(3)) == {0: (9, os.getpid())}
    assert list(Workers(n=2).run([])) == []


@pytest.mark.slow
def test_two_workers_give_the_same_results_from_processes_of_their_own_and_are_gone_afterwards() -> None:
    workers, units = Workers(n=2), [Square(number) for number in range(8)]
    found = _performed(workers, *units)
    assert {number: square for number, (square, _) in found.items()} == {number: number**2 for number in range(8)}
    pids = {pid for _, pid in found.values()}
    assert os.getpid() not in pids
    assert {pid for _, pid in _performed(workers, *units).values()} <= {*pids, *_children()}, "they stay for a run"
    workers.teardown_after_execution(dg.build_init_resource_context())
    assert not [pid for pid in pids if psutil.pid_exists(pid)]


def _children() -> set[int]:
    return {child.pid for child in psutil.Process().children(recursive=True)}


@pytest.mark.slow
@pytest.mark.parametrize("n", [1, 2])
def test_what_a_unit_raises_comes_back_and_the_others_are_done(n: int, two: Workers) -> None:
    workers = two if n == 2 else Workers(n=1)
    found = _performed(workers, Failing("ours"), Failing("bug"), Failing("unportable"), Square(3))
    ours, bug, unportable, (square, _) = (found[number] for number in range(4))
    assert isinstance(ours, Curable)
    assert (ours.problem, ours.cure) == ("too little", "give more")
    assert isinstance(bug, ZeroDivisionError)
    assert (type(unportable), str(unportable)) == (RuntimeError, "_Unportable: 7: odd")
    assert square == 9


@pytest.mark.slow
@pytest.mark.parametrize(("times", "result"), [(2, "alive"), (9, None)])
def test_a_unit_whose_process_is_killed_is_tried_again_and_named_after_the_third_time(
    two: Workers, tmp_path: Path, times: int, result: str | None
) -> None:
    units = [*(Square(number) for number in range(4)), Killing(tmp_path, times), *(Square(n) for n in range(4))]
    found = _performed(two, *units)
    killed = found.pop(4)
    if result is not None:
        assert killed == result
    else:
        assert isinstance(killed, WorkerDied)
        assert "killed, 3 times" in killed.problem
        assert "STOCK_ASSETS_WORKERS=1" in killed.cure
    assert {number: square for number, (square, _) in found.items()} == {
        number: units[number].number ** 2 for number in (0, 1, 2, 3, 5, 6, 7, 8)
    }


@pytest.mark.slow
def test_who_stops_asking_leaves_no_worker_with_old_units(two: Workers) -> None:
    asking = two.run([Square(number) for number in range(100)])
    next(asking)
    asking.close()  # type: ignore[attr-defined]  # it is a generator
    assert _performed(two, Square(5))[0][0] == 25


PARENT = """
import sys, time
from dataclasses import dataclass
from tests.test_workers import Square
from stock_assets.workers import Workers
print(*{pid for _, (_, pid) in Workers(n=2).run([Square(n) for n in range(8)])}, flush=True)
time.sleep(600)
"""


@pytest.mark.slow
@pytest.mark.parametrize("killed_by", [signal.SIGKILL, signal.SIGTERM])
def test_workers_are_gone_when_the_process_that_works_with_them_is_killed(killed_by: signal.Signals) -> None:
    with subprocess.Popen([sys.executable, "-c", PARENT], stdout=subprocess.PIPE, text=True) as parent:
        assert parent.stdout is not None
        pids = [int(pid) for pid in parent.stdout.readline().split()]
        assert pids
        assert all(psutil.pid_exists(pid) for pid in pids)
        parent.send_signal(killed_by)
    deadline = time.monotonic() + 30
    while left := [pid for pid in pids if psutil.pid_exists(pid)]:
        assert time.monotonic() < deadline, left
        time.sleep(0.1)


@pytest.mark.slow
def test_ctrl_c_is_for_the_process_that_works_with_them(two: Workers) -> None:
    """A terminal sends it to all of them: the run decides what becomes of it."""
    (first,) = _performed(two, Square(2)).values()
    os.kill(first[1], signal.SIGINT)
    time.sleep(0.2)
    assert psutil.pid_exists(first[1])
    assert _performed(two, Square(3))[0][0] == 9


def test_workers_that_were_warmed_in_vain_leave_in_silence(recwarn: pytest.WarningsRecorder) -> None:
    workers = Workers(n=2)
    workers._warming = _given_out([(number, Square(number)) for number in range(2)], 2)
    time.sleep(2)  # done, and nobody asks
    workers.teardown_after_execution(dg.build_init_resource_context())
    del workers
    assert [str(one.message) for one in recwarn.list if "tasks" in str(one.message)] == []
