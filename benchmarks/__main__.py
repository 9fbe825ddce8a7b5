"""`make bench`: every budget that exists so far, as ratios measured in one run on this machine."""

import subprocess
import sys

PARTS = {
    "Import of the code location": ["benchmarks.imports"],
    "Lineage against bare fits": ["benchmarks.lineage"],
    "Training speed of the networks": ["benchmarks.training"],
    "Daily update against a bare loop": ["benchmarks.daily"],
    "A tick of each sensor over 5,000 tickers": ["benchmarks.sensors"],
    "Features against pandas": ["benchmarks.features"],
    "Scores of a universe": ["benchmarks.evaluation"],
    "Publishing and querying": ["benchmarks.publish"],
    "Dashboard of a universe": ["benchmarks.dashboard"],
    "Storage under load": ["benchmarks.storage_load", "load"],
    "500 tickers of which 7 are bad": ["benchmarks.bad_tickers"],
    "Killed runs and workers": ["benchmarks.killed_runs"],
}


def main() -> None:
    for title, module in PARTS.items():
        print(f"\n== {title} (python -m {' '.join(module)})", flush=True)
        subprocess.run([sys.executable, "-m", *module], check=True)


if __name__ == "__main__":
    main()
