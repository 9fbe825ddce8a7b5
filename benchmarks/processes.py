"""What a process costs: seconds of the clock and of the processor. Not a benchmark; lineage and daily measure by it."""

import os
import resource
import subprocess
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

Both = NDArray[np.float64]
"""Seconds of the clock and of the processor, shape (2,)."""


def timed(command: list[str], home: Path) -> Both:
    """Seconds of a process and its children, with one thread per library."""
    environment = os.environ | {"STOCK_ASSETS_HOME": str(home), "OMP_NUM_THREADS": "1"}
    log = home.parent / "log"
    began, used = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    with log.open("w") as file:
        done = subprocess.run(command, env=environment, check=False, stdout=file, stderr=file)
    if done.returncode:
        raise SystemExit(f"{' '.join(command)} failed:\n{log.read_text()[-2000:]}")
    now = resource.getrusage(resource.RUSAGE_CHILDREN)
    return np.array([time.perf_counter() - began, now.ru_utime + now.ru_stime - used.ru_utime - used.ru_stime])
