"""Looking at what was published: tables for people, clean CSV and JSON for programs, refusals in one line."""

import io
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pytest

from storage.lake import Lake
from storage.publisher import Publisher
from storage.tables import TABLES
from storage.views import VIEWS
from tests.cli.conftest import MAIN, Say, Start

ENDLESS = "SELECT count(*) FROM range(100000000) a, range(1000000) b"
MODELS = {"random_walk": (4.38, None), "sarima": (4.31, 0.03), "xgboost": (4.40, 0.5)}


def _evaluation(ticker: str, role: str) -> pd.DataFrame:
    rows = []
    for model, (rmse, p_value) in MODELS.items():
        row = dict.fromkeys(TABLES["evaluation"].column_names, 0.5)
        row |= {"ticker": ticker, "model": model, "scheme": "holdout", "role": role, "n": 126, "rmse": rmse}
        row |= {"rows_version": "of these rows"}
        row |= {"rmse_random_walk": 4.38, "clark_west_p": p_value, "dm_hln_p": p_value}
        row |= {name: pd.Timestamp("2013-03-01") for name in ("first_session", "last_session")}
        rows.append(row)
    return pd.DataFrame(rows)


@pytest.fixture
def scored(home: Path) -> Path:
    """A home with two tickers that have scores; AAPL's bars are sample data."""
    lake = Lake(home / "lake")
    now = pd.Timestamp("2013-03-02", tz="UTC")
    for ticker, source in (("AAPL", "sample"), ("IBM", "csv")):
        row = dict.fromkeys(TABLES["tickers"].column_names) | {"ticker": ticker, "status": "ok", "updated_at": now}
        row |= {"calendar": "XNYS", "currency": "USD", "source": source}
        lake.write("tickers", pd.DataFrame([row]), ticker=ticker)
        lake.write(
            "evaluation", pd.concat([_evaluation(ticker, role) for role in ("test", "validation")]), ticker=ticker
        )
    reviewed = {"review": "2013-03", "rule_holds": True, "failed_reviews": 0}
    decision = {
        "ticker": "AAPL",
        "decided_at": now,
        "model": "random_walk",
        "promoted": False,
        "reason": "none is better",
    }
    lake.append("champion", pd.DataFrame([decision | {"p_value": 0.6, "n": 126, "model_version": "v"} | reviewed]))
    Publisher(home).publish()
    return home


def test_the_leaderboard_shows_test_rows_of_every_ticker_and_marks_sample_data(scored: Path, say: Say) -> None:
    said = say("leaderboard")
    assert said.code == 0
    assert "AAPL, holdout test rows — SAMPLE DATA" in said.out
    assert "IBM, holdout test rows\n" in said.out
    assert "validation" not in said.out
    assert "AAPL champion: random_walk — none is better" in said.out


def test_the_leaderboard_of_one_ticker_and_role(scored: Path, say: Say) -> None:
    said = say("leaderboard", "ibm", "--role", "validation")
    assert "IBM, holdout validation rows" in said.out
    assert "AAPL" not in said.out
    assert "note: 'ibm' is read as IBM" in said.err


def test_an_empty_leaderboard_says_how_to_fill_it(scored: Path, say: Say) -> None:
    say("tickers", "add", "MSFT")
    said = say("leaderboard", "MSFT")
    assert (said.code, said.out) == (0, "")
    assert "no scores for MSFT yet: train with `stock-assets run`" in said.err


def test_the_leaderboard_of_an_unknown_ticker_names_the_known_ones(scored: Path, say: Say) -> None:
    said = say("leaderboard", "MSFT")
    assert (said.code, said.out) == (1, "")
    assert "MSFT is not in the universe" in said.err
    assert "choose among AAPL, IBM" in said.err


def test_a_trained_ticker_without_live_scores_is_not_told_to_train(scored: Path, say: Say) -> None:
    said = say("leaderboard", "AAPL", "--role", "live")
    assert (said.code, said.out) == (0, "")
    assert "no live scores for AAPL yet: a forecast made before its session opened" in said.err
    assert "train with" not in said.err


def test_ctrl_c_stops_a_running_query_at_once_without_a_trace(scored: Path) -> None:
    script = (
        "import signal\nfrom stock_assets import cli\nimport storage.sql\n"
        # What starts this suite in the background may have told its children to ignore Ctrl-C.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        f"raise SystemExit(cli.run(['sql', {ENDLESS!r}]))\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stderr is not None
    assert process.stderr.readline() == f"home: {scored}\n"
    time.sleep(1)
    pressed = time.monotonic()
    process.send_signal(signal.SIGINT)
    _, err = process.communicate(timeout=30)
    assert time.monotonic() - pressed < 10  # far below the time limit of a query
    assert process.returncode == 130
    assert "Traceback" not in err


def test_csv_on_stdout_is_nothing_but_csv(scored: Path, say: Say) -> None:
    said = say(
        "sql", "SELECT ticker, rmse FROM evaluation WHERE role = 'test' ORDER BY ticker, model", "--format", "csv"
    )
    frame = pd.read_csv(io.StringIO(said.out))
    assert frame["rmse"].tolist() == [4.38, 4.31, 4.40] * 2
    assert f"home: {scored}" in said.err


def test_json_keeps_every_digit_dates_and_nulls(scored: Path, say: Say) -> None:
    query = "SELECT 1/3 AS third, DATE '2013-03-01' AS session, NULL AS nothing, 'ä' AS letter, [1, 2] AS list"
    (row,) = json.loads(say("sql", query, "--format", "json").out)
    assert abs(row.pop("third") - 1 / 3) < 1e-14
    assert row == {"session": "2013-03-01", "nothing": None, "letter": "ä", "list": [1, 2]}


def test_numbers_are_printed_without_thousands_separators_and_json_keeps_microseconds(scored: Path, say: Say) -> None:
    assert say("sql", "SELECT 1234567 AS n, 12345.5 AS x, 2e9 AS y").out.split()[3:] == [
        "1234567",
        "12345.5",
        "2000000000",
    ]
    (row,) = json.loads(say("sql", "SELECT TIMESTAMP '2013-03-01 16:00:00.123456' AS t", "--format", "json").out)
    assert row == {"t": "2013-03-01T16:00:00.123456"}


def test_a_table_is_cut_at_a_screenful_and_says_so(scored: Path, say: Say) -> None:
    said = say("sql", "FROM range(1000)")
    assert len(said.out.splitlines()) == 101
    assert "only the first 100 rows are shown; --max-rows shows more" in said.err
    assert len(say("sql", "FROM range(1000)", "--max-rows", "3").out.splitlines()) == 4
    assert len(say("sql", "FROM range(1000)", "--format", "csv").out.splitlines()) == 1001


def test_rows_too_wide_for_the_window_are_printed_one_value_a_line(scored: Path, start: Start) -> None:
    done = start("sql", "SELECT repeat('x', 90) AS a, repeat('y', 90) AS b")
    assert [line.split()[0] for line in done.stdout.splitlines() if line.strip()] == ["a", "b"]


def test_a_result_without_rows_still_names_its_columns(scored: Path, say: Say) -> None:
    assert say("sql", "SELECT ticker FROM tickers WHERE false").out.split() == ["ticker", "0", "rows"]


@pytest.mark.parametrize("query", ["DROP TABLE tickers", "SELECT 1; SELECT 2", "SELEC", "SELECT * FROM tickrs", ""])
def test_sql_that_is_not_one_select_is_refused_in_one_line(query: str, scored: Path, say: Say) -> None:
    said = say("sql", query)
    assert (said.code, said.out) == (1, "")
    assert said.err.count("\n") == 2  # the home, and the error
    assert say("sql", "FROM tickers").code == 0


def test_nothing_published_is_an_error_with_its_cure(say: Say) -> None:
    for line in (["leaderboard"], ["sql", "SELECT 1"], ["export", "tickers", "x.csv"]):
        said = say(*line)
        assert said.code == 1
        assert "nothing has been published" in said.err


def test_export_writes_the_rows_and_says_how_many(scored: Path, say: Say, tmp_path: Path) -> None:
    said = say("export", "leaderboard", str(tmp_path / "scores.csv"))
    assert said.code == 0
    assert "12 rows written to" in said.err
    assert len(pd.read_csv(tmp_path / "scores.csv")) == 12


def test_export_refuses_an_unknown_table(scored: Path, say: Say, tmp_path: Path) -> None:
    said = say("export", "leaderbord", str(tmp_path / "scores.csv"))
    assert said.code == 1
    assert "leaderbord" in said.err
    assert not (tmp_path / "scores.csv").exists()


def test_a_reader_that_closes_early_leaves_no_trace_of_an_error(scored: Path) -> None:
    command = f"{sys.executable} -c '{MAIN}' sql 'FROM range(200000)' --format csv | head -1"
    done = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=False)
    assert done.stdout == "range\n"
    assert done.stderr == f"home: {scored}\n"


def test_the_help_of_sql_lists_every_table_and_view(say: Say) -> None:
    words = " ".join(say("sql", "--help").out.split())
    assert f"Tables: {', '.join(TABLES)}. Views: {', '.join(view.name for view in VIEWS)}." in words
