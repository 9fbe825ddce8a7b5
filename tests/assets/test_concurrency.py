"""Two runs, a person with unfinished writes and somebody asking questions, all at once, as real processes."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import storage
from storage.contracts import conform
from storage.lake import Lake
from storage.tables import TABLES

PROGRAM = str(Path(sys.executable).with_name("stock-assets"))
SMALL = ["--source", "sample", "--fast", "--models", "xgboost"]

# Opens the copy that is for people, writes without committing and without a checkpoint, and holds on.
PERSON = """
import sys, duckdb
connection = duckdb.connect(sys.argv[1])
connection.execute("SET checkpoint_threshold = '1TB'")
connection.execute("CREATE TABLE notes AS SELECT 1 AS n")
connection.execute("BEGIN")
connection.execute("INSERT INTO notes SELECT * FROM range(1000)")
connection.execute("DELETE FROM prices")
print("holding", flush=True)
sys.stdin.read()
"""


def _command(home: Path, *arguments: str) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [PROGRAM, *arguments],
        env=os.environ | {"STOCK_ASSETS_HOME": str(home)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _finish(process: "subprocess.Popen[str]") -> str:
    output, errors = process.communicate(timeout=300)
    assert process.returncode == 0, errors
    return output


@pytest.mark.slow
def test_two_runs_land_whole_beside_a_person_who_writes_and_one_who_asks(tmp_path: Path) -> None:
    home = tmp_path / "home"
    _finish(_command(home, "fetch", "--ticker", "MSFT", "--source", "sample"))
    person = subprocess.Popen(
        [sys.executable, "-c", PERSON, str(home / "warehouse.duckdb")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert person.stdout is not None
    assert person.stdout.readline() == "holding\n"

    runs = [_command(home, "run", "--ticker", ticker, *SMALL) for ticker in ("AAPL", "IBM")]
    answers = []
    while any(run.poll() is None for run in runs):
        question = "SELECT count(*) FROM prices WHERE ticker = 'MSFT'"
        answers.append(_finish(_command(home, "sql", question, "--format", "csv")).split()[-1])
    for run in runs:
        _finish(run)
    person.communicate(timeout=60)

    assert len(answers) > 3
    assert len(set(answers)) == 1, "the rows of a ticker that nobody touched never changed for a reader"
    for ticker in ("AAPL", "IBM"):
        assert set(storage.table("latest_forecasts", home, ticker=ticker)["model"]) == {"random_walk", "xgboost"}
    for name, table in TABLES.items():
        stored = Lake(home / "lake").read(name)
        conform(table, stored)
        assert len(storage.table(name, home)) == len(stored)
