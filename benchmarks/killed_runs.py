"""Whole runs killed at random moments: `python -m benchmarks.killed_runs [--rounds 10]`."""

import argparse
import json
import tempfile
from pathlib import Path

from tests.assets.test_interruption import kill_and_complete


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=10)
    rounds = parser.parse_args().rounds
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            after = kill_and_complete(Path(folder), seed=number)
        print(f"round {number + 1}/{rounds}: killed {after:.2f} s after the first step; completed", flush=True)
    print(json.dumps({"benchmark": "killed_runs", "rounds": rounds, "failures": 0}))


if __name__ == "__main__":
    main()
