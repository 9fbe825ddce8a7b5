"""What a query may use, what becomes of one that wants more, and of one that is cancelled or left alone."""

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pandas as pd
import psutil
import pytest

from storage import sql as typed_sql
from storage.errors import QueryCancelled, QueryRefused
from storage.sql import AT_ONCE, WORKERS, Limits, Query, warm_up

pytestmark = pytest.mark.slow  # processes

MEGABYTE = 2**20
SMALL = Limits(size=MEGABYTE, memory=256 * MEGABYTE)
ENDLESS = "SELECT count(*) FROM range(100000000) a, range(1000000) b"
SLOW = [
    ENDLESS,
    "SELECT sum(a.range) FROM generate_series(1, 100000000000) a(range)",
    "SELECT pg_sleep(60)",
    "WITH RECURSIVE t AS (SELECT 1 AS a UNION ALL SELECT a + 1 FROM t) SELECT sum(a) FROM t",
    # One call that DuckDB looks at no interrupt in, and texts over whose parsing it holds Python's lock.
    "SELECT levenshtein(repeat('a', 200000), repeat('b', 200000))",
    "SELECT " + ", ".join(["1"] * 30_000),
    " UNION ALL ".join(["SELECT 1"] * 5_000),
]
# They have time enough to want too much memory first.
HUNGRY = [
    "WITH RECURSIVE t AS (SELECT 'x' AS a UNION ALL SELECT a || a FROM t) SELECT length(a) FROM t",
    "SELECT repeat('x', 2000000000)",
    "SELECT md5(repeat('x', 2000000000))",
    "SELECT repeat('x', 60000000) || i FROM range(100) t(i)",
    "SELECT list(i) FROM range(1000000000) t(i)",
    "SELECT string_agg(repeat('x', 1000)) FROM range(100000000)",
    "SELECT [x FOR x IN range(1000000000)]",
    "SELECT count(DISTINCT md5(i::VARCHAR)) FROM range(1000000000) t(i)",
    "SELECT i FROM range(1000000000) t(i) ORDER BY md5(i::VARCHAR)",
]


@pytest.fixture(autouse=True)
def none_left() -> Iterator[None]:
    """No worker outlives its query."""
    yield
    WORKERS.close()
    _wait_until(lambda: not _workers())


@pytest.mark.parametrize(
    ("sql", "seconds"),
    [*((sql, 1) for sql in SLOW), *((sql, 3) for sql in HUNGRY)],
    ids=lambda value: str(value)[:60],
)
def test_a_runaway_is_stopped_in_one_line_and_gives_back_what_it_used(published: Path, sql: str, seconds: int) -> None:
    before = psutil.Process().memory_info().rss
    reason = rf"(took longer than {seconds} s|[Mm]emory|one row is larger than).* — .+"
    with pytest.raises(QueryRefused, match=reason):
        Query(sql, published, replace(SMALL, seconds=seconds)).run()
    assert not _workers()
    assert psutil.Process().memory_info().rss < before + 64 * MEGABYTE


def test_rows_beyond_a_limit_are_cut_and_the_limit_is_named(published: Path) -> None:
    wide = "SELECT i, repeat('x', 1000) AS text FROM range(5000) t(i) ORDER BY i"
    cut = Query(wide, published, Limits(rows=None, size=MEGABYTE)).run()
    assert cut.attrs["truncated"] == "bytes"
    assert cut["i"].tolist() == list(range(len(cut)))
    assert 100 < len(cut) <= 1048
    assert Query("FROM range(30)", published, Limits(rows=20)).run().attrs["truncated"] == "rows"
    assert Query("FROM range(20)", published, Limits(rows=20)).run().attrs["truncated"] == ""


@pytest.mark.parametrize("sql", [ENDLESS, "SELECT " + ", ".join(["1"] * 30_000)], ids=["runs", "is parsed"])
def test_a_query_is_cancelled_from_another_thread(published: Path, sql: str) -> None:
    query = Query(sql, published)
    with _running(query) as result:
        query.cancel()
        with pytest.raises(QueryCancelled, match="the query was cancelled"):
            result.result(timeout=30)
    assert not _workers()


def test_a_query_that_is_cancelled_before_it_begins_never_does(published: Path) -> None:
    query = Query(ENDLESS, published)
    query.cancel()
    with pytest.raises(QueryCancelled):
        query.run()
    assert not _workers()


def test_so_many_run_at_once_and_others_are_told_to_wait(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(typed_sql, "_PATIENCE_SECONDS", 0.1)
    queries = [Query(ENDLESS, published) for _ in range(AT_ONCE)]
    with ThreadPoolExecutor(AT_ONCE) as pool:
        running = [pool.submit(query.run) for query in queries]
        _wait_until(lambda: len(_workers()) == AT_ONCE)
        with pytest.raises(QueryRefused, match=f"{AT_ONCE} other queries are running — wait for a moment"):
            Query("SELECT 1", published).run()
        for query in queries:
            query.cancel()
        assert [type(result.exception(timeout=30)) for result in running] == [QueryCancelled] * AT_ONCE
    assert len(Query("SELECT 1", published).run()) == 1


def test_a_worker_started_ahead_answers_once(published: Path) -> None:
    warm_up()
    warm_up()
    (waiting,) = _workers()
    with _running(query := Query(ENDLESS, published)):
        assert _workers() == [waiting]
        query.cancel()
    warm_up()
    (other,) = _workers()
    other.kill()
    other.wait()
    assert len(Query("SELECT 1", published).run()) == 1


def test_a_worker_knows_no_secret_of_the_environment(published: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STOCK_ASSETS_DASHBOARD_PASSWORD", "swordfish")
    with _running(query := Query(ENDLESS, published)):
        (worker,) = _workers()
        assert "swordfish" not in str(worker.environ())
        query.cancel()


def test_a_query_ends_with_the_process_that_asked(published: Path) -> None:
    script = f"import pathlib, storage.sql as s; s.Query({ENDLESS!r}, pathlib.Path({str(published)!r})).run()"
    asking = subprocess.Popen([sys.executable, "-c", script])
    _wait_until(lambda: bool(psutil.Process(asking.pid).children()))
    (worker,) = psutil.Process(asking.pid).children()
    time.sleep(1)  # until it has its request
    asking.send_signal(signal.SIGKILL)
    asking.wait()
    worker.wait(timeout=30)


def test_a_query_that_breaks_its_process_is_an_error_like_any_other(published: Path) -> None:
    with _running(Query(ENDLESS, published)) as result:
        (worker,) = _workers()
        os.kill(worker.pid, signal.SIGSEGV)
        error = result.exception(timeout=30)
    assert isinstance(error, QueryRefused)
    assert "the query broke its process: ended with status -11 — write it in another way" in str(error)


class _running:  # noqa: N801 (read as a phrase: with _running(query))
    """The query, run in a thread, once its worker is there."""

    def __init__(self, query: Query) -> None:
        self._result: Future[pd.DataFrame] = Future()
        self._thread = threading.Thread(target=self._run, args=[query])

    def _run(self, query: Query) -> None:
        try:
            self._result.set_result(query.run())
        except QueryRefused as error:
            self._result.set_exception(error)

    def __enter__(self) -> Future[pd.DataFrame]:
        self._thread.start()
        _wait_until(lambda: bool(_workers()))
        return self._result

    def __exit__(self, *_: object) -> None:
        self._thread.join(timeout=30)


def _workers() -> list[psutil.Process]:
    return [child for child in psutil.Process().children() if "storage.sql_worker" in child.cmdline()]


def _wait_until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)
