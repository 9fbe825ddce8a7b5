"""Runs and workers killed at random moments: `python -m benchmarks.killed_runs [--rounds 10]`.

So many whole runs are killed and completed by the next command, and so many workers, whose run completes by itself.
Each time every table must fit its contract, no fit may be lost or made again, and nothing half-written may be left.
"""

import argparse
import json
import tempfile
from pathlib import Path

from tests.assets.test_interruption import kill_and_complete, kill_worker_and_finish


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            after = kill_and_complete(Path(folder), seed=number, workers=1 + number % 2)
        print(f"run {number + 1}/{rounds}: killed {after:.2f} s after its first step; completed", flush=True)
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            after = kill_worker_and_finish(Path(folder), seed=number)
        print(f"worker {number + 1}/{rounds}: killed {after:.2f} s after it came; its run completed", flush=True)
    print(json.dumps({"benchmark": "killed_runs", "runs": rounds, "workers": rounds, "failures": 0}))


if __name__ == "__main__":
    main()
