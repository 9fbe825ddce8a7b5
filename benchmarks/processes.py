"""What a process costs: seconds of the clock and of the processor, memory. Not a benchmark; others measure by it."""

import os
import resource
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
from numpy.typing import NDArray

PROGRAM = str(Path(sys.executable).with_name("stock-assets"))
Both = NDArray[np.float64]
"""Seconds of the clock and of the processor, shape (2,)."""


def timed(command: list[str], home: Path) -> Both:
    """Seconds of a process and its children, with one thread per library."""
    return measured(command, home)[0]


def measured(command: list[str], home: Path) -> tuple[Both, float]:
    """The same, and the most memory (GB) that it and its children had resident together; looked at twice a second."""
    environment = os.environ | {"STOCK_ASSETS_HOME": str(home), "OMP_NUM_THREADS": "1"}
    log = home.parent / "log"
    began, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with log.open("w") as file:
        process = subprocess.Popen(command, env=environment, stdout=file, stderr=file)
        peak = 0.0
        while process.poll() is None:
            peak = max(peak, _resident(process.pid))
            with suppress(subprocess.TimeoutExpired):
                process.wait(timeout=0.5)
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{log.read_text()[-2000:]}")
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    took = np.array([time.perf_counter() - began, now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime])
    return took, peak


def _resident(pid: int) -> float:
    found = 0
    with suppress(psutil.NoSuchProcess):
        process = psutil.Process(pid)
        for one in (process, *process.children(recursive=True)):
            with suppress(psutil.NoSuchProcess):
                found += one.memory_info().rss
    return found / 1e9
