"""Typed SQL: one SELECT on the newest generation, in a process of its own that reaches no file, network or setting."""

import atexit
import json
import os
import re
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa

from stock_assets.errors import StockAssetsError
from storage import engine, errors
from storage.errors import QueryCancelled, QueryRefused
from storage.names import suggest
from storage.sql_grammar import OUT_OF_REACH
from storage.tables import TABLES
from storage.views import VIEWS

MAX_ROWS = 10_000
TIMEOUT_SECONDS = 60.0
AT_ONCE = 2
"""Queries that run at the same time, for all who ask this process."""
_PATIENCE_SECONDS = 5.0
_MAX_CHARACTERS = 100_000
ASK_LESS = "filter by ticker, or ask for less"
_LONGEST = 400  # characters of DuckDB's own words that are shown
_ROOT = Path(__file__).parents[1]
_slots = threading.BoundedSemaphore(AT_ONCE)


@dataclass(frozen=True)
class Answer:
    """What a worker left behind: an Arrow stream, how it says it ended, and its exit status, -n if signal n ended it.

    `rows` is whole only if `outcome` says that it did not fail; that is empty if it was ended before it could say so.
    """

    rows: bytes
    outcome: dict[str, Any]
    code: int


class Workers:
    """Starts workers, one for each query, and keeps one waiting once somebody has asked for that."""

    def __init__(self) -> None:
        self._waiting: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def warm_up(self) -> None:
        """Have a worker ready before it is needed: starting one takes longer than most queries."""
        with self._lock:
            if self._waiting is None or self._waiting.poll() is not None:
                self._waiting = _start()

    def take(self) -> subprocess.Popen[bytes]:
        """A worker that waits for its request."""
        with self._lock:
            ready, self._waiting = self._waiting, None
        return ready if ready and ready.poll() is None else _start()

    def close(self) -> None:
        """End the one that waits."""
        with self._lock:
            if self._waiting:
                end(self._waiting)
            self._waiting = None


WORKERS = Workers()
atexit.register(WORKERS.close)


@dataclass(frozen=True)
class Limits:
    """What a query may use; None: as much as it likes.

    Attributes:
        rows: rows returned at most; the rest is cut.
        size: bytes returned at most; the rest is cut.
        memory: bytes it may use while it works. Nothing is put on disk instead.
    """

    rows: int | None = MAX_ROWS
    size: int | None = 32 * 2**20
    seconds: float | None = TIMEOUT_SECONDS
    memory: int = 2**30


class Query:
    """Somebody's SQL, to be run once in one thread and perhaps cancelled from another.

    Args:
        sql: exactly one SELECT statement (WITH …, FROM-first, VALUES, DESCRIBE and SHOW are SELECTs to DuckDB).
        place: folder of all state, whose newest generation answers, or one published database file.
    """

    def __init__(self, sql: str, place: Path, limits: Limits | None = None) -> None:
        self._sql = sql
        self._place = place
        self._limits = limits or Limits()
        self._lock = threading.Lock()
        self._worker: subprocess.Popen[bytes] | None = None
        self._cancelled = False

    def run(self) -> pd.DataFrame:
        """Its rows; `frame.attrs["truncated"]` names the limit that cut them, `rows` or `bytes`, or is empty.

        Raises:
            QueryRefused: it is not exactly one SELECT, reaches for what is not published, needs more than it may, or
                DuckDB refused it; or too many others run. QueryCancelled: somebody cancelled it.
            NothingPublished, DamagedGeneration: there is nothing to query.
            KeyboardInterrupt: somebody pressed Ctrl-C; the query is stopped.
        """
        if len(self._sql) > _MAX_CHARACTERS:
            problem = f"the query has {len(self._sql):,} characters, expected at most {_MAX_CHARACTERS:,}"
            raise QueryRefused(problem, cure="write a shorter one")
        with _slot():
            return self._frame(ask(self._begin(), self._request()))

    def cancel(self) -> None:
        """Stop it now, or before it begins. What it used is free when this returns to `run`'s caller."""
        with self._lock:
            self._cancelled = True
            if self._worker:
                self._worker.kill()

    def _begin(self) -> subprocess.Popen[bytes]:
        with self._lock:
            if self._cancelled:
                raise _cancelled()
            self._worker = WORKERS.take()
            return self._worker

    def _request(self) -> dict[str, object]:
        return {
            "sql": self._sql.encode(errors="replace").decode(),  # half a surrogate is no text to DuckDB
            "place": str(self._place.absolute()),
            "max_rows": self._limits.rows,
            "max_bytes": self._limits.size,
            "seconds": self._limits.seconds,
            "memory_bytes": self._limits.memory,
        }

    def _frame(self, answer: Answer) -> pd.DataFrame:
        if self._cancelled:
            raise _cancelled()
        outcome = answer.outcome
        if "truncated" not in outcome:
            raise self._error(answer)
        # Through DuckDB once more, so that types are those of every other frame from the database.
        with engine.connect() as connection, pa.ipc.open_stream(answer.rows) as rows:
            frame = engine.fetch(connection.from_arrow(rows.read_all()))
        if outcome["truncated"] == "bytes" and frame.empty:
            raise QueryRefused(f"one row is larger than {self._limits.size:,} bytes", cure=ASK_LESS)
        frame.attrs["truncated"] = outcome["truncated"]
        return frame

    def _error(self, answer: Answer) -> StockAssetsError:
        outcome = answer.outcome
        if "raised" in outcome:
            kind: type[StockAssetsError] = getattr(errors, outcome["raised"])
            return kind(outcome["problem"], cure=outcome["cure"])
        if answer.code == -signal.SIGALRM:
            return QueryRefused(f"the query took longer than {self._limits.seconds:g} s", cure=ASK_LESS)
        if "failed" in outcome:
            return refusal(outcome["failed"], self._sql)
        found = outcome.get("broke") or f"ended with status {answer.code}"
        return QueryRefused(f"the query broke its process: {found}", cure="write it in another way, or ask for less")


def run_select(
    sql: str, place: Path, max_rows: int | None = MAX_ROWS, *, timeout: float | None = TIMEOUT_SECONDS
) -> pd.DataFrame:
    """Run somebody's SQL and return its rows: a `Query` of which only rows and seconds, if anything, are limited.

    `frame.attrs["truncated"]` says whether there were more rows. Errors as `Query.run`.
    """
    return Query(sql, place, Limits(rows=max_rows, size=None, seconds=timeout, memory=2 * 2**30)).run()


def warm_up() -> None:
    """Start the process of the next query ahead, where people wait for it."""
    WORKERS.warm_up()


def ask(worker: subprocess.Popen[bytes], request: dict[str, Any]) -> Answer:
    """Send the request and wait for the answer; the worker is gone afterwards, whatever happens here."""
    try:
        rows, said = worker.communicate(json.dumps(request | {"parent": os.getpid()}).encode())
    finally:
        end(worker)
    return Answer(rows, _outcome(said), worker.returncode)


def end(worker: subprocess.Popen[bytes]) -> None:
    """End it and let go of its pipes."""
    with worker:
        worker.kill()


def _start() -> subprocess.Popen[bytes]:
    # An empty environment: it may hold secrets, and a worker needs none of it.
    return subprocess.Popen(
        [sys.executable, "-m", "storage.sql_worker"],
        cwd=_ROOT,
        env={},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )


def _outcome(said: bytes) -> dict[str, Any]:
    lines = said.decode(errors="replace").splitlines() or [""]
    try:
        outcome: dict[str, Any] = json.loads(lines[-1])
    except ValueError:  # it was ended in mid-sentence, or broke: what broke is the last line of its traceback
        return {"broke": lines[-1]} if lines[-1] else {}
    return outcome


@contextmanager
def _slot() -> Iterator[None]:
    if not _slots.acquire(timeout=_PATIENCE_SECONDS):
        raise QueryRefused(f"{AT_ONCE} other queries are running", cure="wait for a moment and run it again")
    try:
        yield
    finally:
        _slots.release()


def _cancelled() -> QueryCancelled:
    return QueryCancelled("the query was cancelled", cure="run it again")


def refusal(message: str, sql: str) -> QueryRefused:
    """The error for what DuckDB said about `sql`: its words in one line, with a cure."""
    lines = message.splitlines() or ["it failed"]
    problem = lines[0].removeprefix("Permission Error: ")[:_LONGEST]
    return QueryRefused(problem, cure=_cure(lines, problem, sql))


def _cure(lines: list[str], problem: str, sql: str) -> str:
    if lines[0].startswith("Permission Error: "):
        return OUT_OF_REACH
    if "memory" in problem.lower() or "bad allocation" in problem:
        return ASK_LESS
    if problem.startswith("Catalog Error: Table with name "):
        missing = problem.removeprefix("Catalog Error: Table with name ").split(" ")[0]
        return suggest(missing, [*TABLES, *(view.name for view in VIEWS)])
    hints = [line.strip() for line in lines[1:] if line.startswith(("Did you mean", "Candidate bindings"))]
    cure = hints[0] if hints else "correct the SQL; docs/tables.md lists tables and columns"
    unknown = re.search(r'column "([^"]+)" not found', problem)
    if unknown and _is_compared_to(unknown[1], sql):
        return f"text needs single quotes: '{unknown[1]}'; if a column was meant: {cure}"
    return cure


def _is_compared_to(name: str, sql: str) -> bool:
    """Whether the name stands where people write a value: behind a comparison or in a list."""
    return re.search(rf'([=<>]|\bLIKE|\bIN\s*\([^)]*)\s*"?{re.escape(name)}\b', sql, re.IGNORECASE) is not None
