"""Real processes that write, publish, read and die: the actors of `test_processes.py` and `benchmarks/storage_load.py`.

Actors run until a file named `stop` appears, and raise on any failure; the caller looks at their exit codes.
"""

import multiprocessing
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from multiprocessing.process import BaseProcess
from pathlib import Path

import duckdb
import numpy as np

from storage.contracts import conform
from storage.lake import Lake
from storage.published import Reader, generations
from storage.publisher import Publisher
from storage.sql import run_select
from storage.tables import TABLES
from tests.storage.frames import partition, rows

_CONTEXT = multiprocessing.get_context("forkserver")
_CONTEXT.set_forkserver_preload(["tests.storage.processes"])  # a new process then starts in milliseconds


def start(actor: Callable[..., None], *arguments: object) -> BaseProcess:
    process = _CONTEXT.Process(target=actor, args=arguments, daemon=True)
    process.start()
    return process


def write_partitions(home: Path, writer: int, n: int) -> None:
    """Replace partitions `n` times; all rows of one write carry the same number, so a torn write would show."""
    lake = Lake(home / "lake")
    for i in range(n):
        ticker = f"W{writer}T{i % 5}"
        lake.write("prices", rows("prices", 20, seed=i, ticker=ticker, volume=float(i)), ticker=ticker)
        if i % 5 == 0:
            lake.append("forecasts", rows("forecasts", 2, seed=writer * n + i, ticker=ticker))


def publish_until_stopped(home: Path) -> None:
    publisher = Publisher(home)
    last = 0
    while not (home / "stop").exists():
        generation = publisher.publish().generation
        assert generation >= last, f"generation {generation} after {last}"
        last = generation


def read_until_stopped(home: Path) -> None:
    while not (home / "stop").exists():
        torn = "SELECT ticker FROM prices GROUP BY ticker HAVING count(DISTINCT volume) > 1 OR count(*) <> 20"
        assert run_select(torn, home).empty
        with Reader(home) as reader:
            assert reader.frame(torn).empty
        volumes = Lake(home / "lake").read("prices", ticker="W0T0")["volume"]
        assert len(set(volumes)) <= 1


def compact_until_stopped(home: Path) -> None:
    lake = Lake(home / "lake")
    while not (home / "stop").exists():
        lake.compact("forecasts")
        time.sleep(0.05)


def hold_warehouse_open(home: Path) -> None:
    """A person's session: committed writes that stay in the log, and others that are never finished."""
    with duckdb.connect(str(home / "warehouse.duckdb")) as person:
        person.execute("CREATE TABLE notes (n INTEGER)")
        (home / "held").touch()
        while not (home / "stop").exists():
            person.execute("INSERT INTO notes SELECT * FROM range(1000)")
            person.begin()
            person.execute("DELETE FROM prices")
            time.sleep(0.05)
            person.rollback()


def work_until_killed(home: Path, seed: int) -> None:
    """Write, append, compact, delete and publish as fast as possible."""
    generator = np.random.default_rng(seed)
    publisher = Publisher(home)
    lake = publisher.lake
    while True:
        ticker = f"T{generator.integers(3)}"
        i = int(generator.integers(10**9))
        lake.write("prices", rows("prices", 20, seed=i, ticker=ticker, volume=float(i)), ticker=ticker)
        lake.write("predictions", rows("predictions", 5, seed=i, ticker=ticker), **partition("predictions", ticker))
        lake.append("forecasts", rows("forecasts", 3, seed=i, ticker=ticker), only_new=True)
        if i % 4 == 0:
            lake.compact("forecasts")
        if i % 7 == 0:
            lake.delete("predictions", **partition("predictions", ticker))
        publisher.publish()


@dataclass(frozen=True)
class Load:
    """What happened under load: one exit code for each actor, and the generations published."""

    exit_codes: dict[str, int | None]
    generations: int
    seconds: float


def run_load(home: Path, *, writers: int, partitions: int, person: bool = True) -> Load:
    """Writers, two publishers, two readers, a compactor and a person with unfinished writes, all at once."""
    Publisher(home).publish()
    began = time.monotonic()
    actors = {f"publisher {i}": start(publish_until_stopped, home) for i in range(2)}
    actors |= {f"reader {i}": start(read_until_stopped, home) for i in range(2)}
    actors["compactor"] = start(compact_until_stopped, home)
    if person:
        actors["person"] = start(hold_warehouse_open, home)
        while not (home / "held").exists() and actors["person"].is_alive():
            time.sleep(0.01)
    working = {f"writer {i}": start(write_partitions, home, i, partitions) for i in range(writers)}
    for process in working.values():
        process.join()
    (home / "stop").touch()
    for process in actors.values():
        process.join()
    codes = {name: process.exitcode for name, process in (working | actors).items()}
    return Load(codes, generations(home)[-1], time.monotonic() - began)


def kill_and_recover(home: Path, *, rounds: int, seed: int) -> int:
    """Kill the worker at random moments; after each, everything must be whole. Returns temporary files swept."""
    generator = np.random.default_rng(seed)
    swept = 0
    for round_ in range(rounds):
        worker = start(work_until_killed, home, seed + round_)
        worker.join(float(generator.uniform(0.05, 1.0)))
        assert worker.exitcode is None, f"round {round_}: the worker failed by itself"
        worker.kill()
        worker.join()
        swept += _assert_recovered(home)
    return swept


def _assert_recovered(home: Path) -> int:
    lake = Lake(home / "lake")
    swept = lake.sweep()
    assert not list(lake.root.rglob("*.tmp*")), "a dead writer's file stayed"
    published = Publisher(home).publish()
    assert not list((home / "published").glob("*.tmp*"))
    with Reader(home) as reader:
        assert reader.generation == published.generation
        for name, table in TABLES.items():
            stored = lake.read(name)
            conform(table, stored)
            key = ", ".join(table.key)
            shown = reader.frame(f'SELECT * FROM "{name}" ORDER BY {key}')  # noqa: S608 (names of ours)
            assert shown.equals(stored), name
        assert reader.frame("SELECT ticker FROM prices GROUP BY ticker HAVING count(DISTINCT volume) > 1").empty
    assert not [name for name in os.listdir(home) if name.endswith(".tmp")], "a copy for people was left half"
    return len(swept)
