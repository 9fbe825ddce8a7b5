"""Storage under load and under kill -9: `python -m benchmarks.storage_load load|kill`."""

import argparse
import json
import tempfile
import time
from pathlib import Path

from tests.storage.processes import kill_and_recover, run_load


def load(partitions: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        result = run_load(Path(folder), writers=4, partitions=partitions)
        aside = len(list(Path(folder).glob("*.aside")))
    failed = [name for name, code in result.exit_codes.items() if code != 0]
    figures = {
        "benchmark": "storage_load",
        "writers": 4,
        "partitions": partitions,
        "generations": result.generations,
        "logs_moved_aside": aside,
        "seconds": round(result.seconds, 1),
        "failures": len(failed),
    }
    print(json.dumps(figures))
    print(
        f"4 writers × {partitions} partitions, 2 publishers ({result.generations} generations), 2 readers, a compactor "
        f"and a person's unfinished writes: {len(failed)} failures (budget 0) {failed or ''}"
    )


def kill(rounds: int) -> None:
    began = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        swept = kill_and_recover(Path(folder), rounds=rounds, seed=2024)
    seconds = round(time.monotonic() - began, 1)
    print(
        json.dumps({"benchmark": "storage_kill", "rounds": rounds, "swept": swept, "seconds": seconds, "failures": 0})
    )
    print(f"{rounds} × kill -9 of a writer and publisher: every table whole each time, {swept} temporary files swept")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", choices=("load", "kill"))
    parser.add_argument("--partitions", type=int, default=200)
    parser.add_argument("--rounds", type=int, default=200)
    given = parser.parse_args()
    if given.what == "load":
        load(given.partitions)
    else:
        kill(given.rounds)


if __name__ == "__main__":
    main()
