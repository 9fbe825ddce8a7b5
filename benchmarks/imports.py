"""Import of the code location over `import dagster`: `python -m benchmarks.imports`. Budget: at most 1.5 ×."""

import subprocess
import sys
import time

BUDGET = 1.5
ROUNDS = 7


def seconds(statement: str) -> float:
    """Wall time of a fresh interpreter that runs one statement."""
    began = time.perf_counter()
    subprocess.run([sys.executable, "-c", statement], check=True)
    return time.perf_counter() - began


def main() -> None:
    # Alternating, so that a busy moment of the machine does not fall on one side only.
    pairs = [(seconds("import dagster"), seconds("import stock_assets.definitions")) for _ in range(ROUNDS)]
    theirs, ours = (min(side) for side in zip(*pairs, strict=True))
    verdict = "held" if ours / theirs <= BUDGET else "missed"
    print(f"import dagster                    {theirs:6.2f} s")
    print(f"import stock_assets.definitions   {ours:6.2f} s")
    print(f"ratio                             {ours / theirs:6.2f}     (budget {BUDGET}: {verdict})")


if __name__ == "__main__":
    main()
