"""The desk alone: `make soak` replays 90 sessions and leaves with exit code 1 if anything did not hold.

Fast models in this process, a clock that the replay sets, the real yfinance client against a loopback server, a real
Dagster instance in a home of its own. Retraining for age is off, so that only causes retrain.
"""

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.soak.checks import check
from benchmarks.soak.replay import home_below, replay
from benchmarks.soak.script import FULL, SHORT
from stock_assets.cli.layout import day


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--short", action="store_true", help="twelve sessions instead of ninety")
    parser.add_argument("--home", type=Path, help="folder to keep the home in; by default it is removed")
    given = parser.parse_args()
    script = SHORT if given.short else FULL
    began = time.monotonic()

    def progress(done: int) -> None:
        took = time.monotonic() - began
        left = took / max(done, 1) * (script.n_sessions - done)
        line = f"session {done} of {script.n_sessions}, {took / 60:.1f} min, {left / 60:.1f} min left"
        print(line, file=sys.stderr, flush=True)

    with tempfile.TemporaryDirectory() as folder:
        settings = home_below(given.home or Path(folder))
        os.environ |= {
            "STOCK_ASSETS_HOME": str(settings.home),
            "STOCK_ASSETS_SOURCE": "yahoo",
            "STOCK_ASSETS_RETRAIN_DAYS": "never",
            "STOCK_ASSETS_MLFLOW_URI": "off",
            "STOCK_ASSETS_WEBHOOK": "",
        }
        result = replay(script, settings, progress)
        checks = list(check(result))
    print(f"{day(script.sessions[0])} to {day(script.sessions[-1])}, {len(result.daemon.ran)} runs")
    for one in checks:
        print(f"{'held  ' if one.held else 'BROKEN'}  {one.what}: {one.found}")
    sys.exit(0 if all(one.held for one in checks) else 1)


if __name__ == "__main__":
    main()
