import re
from pathlib import Path

import pytest

from storage.errors import NothingPublished, QueryRefused
from storage.sql import run_select
from storage.tables import TABLES
from storage.views import VIEWS


@pytest.mark.parametrize(
    ("sql", "shape"),
    [
        ("SELECT ticker, close FROM prices", (5, 2)),
        ("with x as (select 1 as a) select * from x;", (1, 1)),
        ("FROM prices", (5, 12)),
        ("VALUES (1, 2), (3, 4)", (2, 2)),
        ("SELECT 1 -- with a comment", (1, 1)),
        ("SHOW TABLES", (len(TABLES) + len(VIEWS), 1)),
        ("DESCRIBE prices", (12, 6)),
        ("SELECT ticker, model, rmse, rmse_random_walk FROM leaderboard", (0, 4)),
        ("SELECT comment FROM duckdb_columns() WHERE table_name = 'prices'", (12, 1)),
    ],
)
def test_whatever_is_one_select_is_answered(published: Path, sql: str, shape: tuple[int, int]) -> None:
    assert run_select(sql, published).shape == shape


@pytest.mark.parametrize(
    ("sql", "message"),
    [
        ("SELECT * FROM prics", "Table with name prics does not exist! — did you mean prices?"),
        ("SELECT closs FROM prices", 'column "closs" not found in FROM clause! — Candidate bindings: "close"'),
        (
            "SELECT close FROM prices WHERE ticker = AAPL",
            "column \"AAPL\" not found in FROM clause! — text needs single quotes: 'AAPL'; if a column was meant: ",
        ),
        ("SELECT close FROM prices WHERE ticker IN (GOOG, AAPL)", "text needs single quotes: 'GOOG'"),
        ('FROM prices WHERE ticker = "AAPL"', "text needs single quotes: 'AAPL'"),
        ("", "the query is empty, expected one SELECT statement — begin with: FROM tickers"),
        ("-- nothing", "the query is empty"),
        ("SELEC 1", 'syntax error at or near "SELEC" — correct the SQL'),
        ("SELECT 'a'::INT", "Could not convert string 'a' to INT32 — correct the SQL"),
        ("SELECT 1; SELECT 2", "expected exactly one SELECT statement, found 2 — send one at a time"),
        ("DROP TABLE prices", "expected a SELECT statement, found DROP — only reading is possible here"),
        ("SELECT * FROM read_text('/etc/passwd')", "files, extensions and settings are out of reach here"),
    ],
)
def test_an_error_names_the_cure(published: Path, sql: str, message: str) -> None:
    with pytest.raises(QueryRefused, match=re.escape(message)):
        run_select(sql, published)


def test_rows_beyond_the_limit_are_cut_and_it_is_said(published: Path) -> None:
    cut = run_select("SELECT session FROM prices ORDER BY session DESC", published, max_rows=2)
    assert cut["session"].dt.day.tolist() == [5, 4]
    assert cut.attrs["truncated"]
    assert not run_select("FROM prices", published, max_rows=5).attrs["truncated"]
    assert len(run_select("FROM range(20000)", published, max_rows=None)) == 20_000


@pytest.mark.parametrize("sql", ["SELECT pg_sleep(60)", "SELECT count(*) FROM range(100000000) a, range(1000000) b"])
def test_a_query_that_takes_too_long_is_stopped(published: Path, sql: str) -> None:
    with pytest.raises(QueryRefused, match=r"took longer than 0\.2 s — filter by ticker"):
        run_select(sql, published, timeout=0.2)


def test_a_query_without_a_time_limit_is_answered(published: Path) -> None:
    assert run_select("SELECT 1 AS a", published, timeout=None)["a"].tolist() == [1]


def test_nothing_published_is_said(home: Path) -> None:
    with pytest.raises(NothingPublished, match="run `stock-assets run`"):
        run_select("SELECT 1", home)
