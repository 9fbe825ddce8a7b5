"""`doctor`, and what it looks at on the machine: Python, packages, disk, memory, ports, network.

Nothing heavy is imported: versions are read from the packages' metadata.
"""

import importlib.metadata
import os
import shutil
import socket
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

import typer

from stock_assets.cli.context import nearest_existing, open_home, output
from stock_assets.cli.layout import grid
from stock_assets.errors import StockAssetsError

DISTRIBUTION = "stock-assets"
PORTS = {3000: "Dagster UI", 5006: "dashboard", 5000: "MLflow", 8000: "Evidently"}
YAHOO = ("query2.finance.yahoo.com", 443)
NEEDED_DISK_GIB = 2
WANTED_MEMORY_GIB = 4
WANTED_CORES = 2
_STYLES = {"ok": "green", "warn": "yellow", "missing": "bold red"}


class SomethingMissing(StockAssetsError):
    """The doctor found something without which commands fail."""


@dataclass(frozen=True)
class Result:
    """One line of the doctor's table.

    Attributes:
        state: `ok`; `warn`, it works but not well or not fully; `missing`, commands will fail.
        cure: how to get it; empty where nothing is wrong.
    """

    name: str
    state: Literal["ok", "warn", "missing"]
    found: str
    cure: str = ""


def doctor(
    network: Annotated[bool, typer.Option("--network", help="Also see whether Yahoo Finance can be reached.")] = False,
) -> None:
    """Say what is missing on this machine and in this home, and how to get it."""
    from rich.markup import escape

    from stock_assets.cli.checkup_home import check_home

    settings = open_home()
    results = list(check_machine(settings.home, network=network))
    sound = all(result.state != "missing" for result in results)
    results += check_home(settings, packages_are_sound=sound)
    table = grid("", "", "found", "cure")
    for result in results:
        state = f"[{_STYLES[result.state]}]{result.state}[/]"
        table.add_row(result.name, state, escape(result.found), escape(result.cure))
    output().print(table)
    missing = [result.name for result in results if result.state == "missing"]
    if missing:
        raise SomethingMissing(f"missing: {', '.join(missing)}", cure="follow the last column of the table")


def check_machine(home: Path, *, network: bool) -> Iterator[Result]:
    """All results about the machine, most fundamental first."""
    yield check_python()
    yield from check_packages()
    yield check_disk(home)
    yield check_memory()
    yield check_cores()
    for port, service in PORTS.items():
        yield check_port(port, service)
    if network:
        yield check_network(*YAHOO)


def check_python() -> Result:
    """The interpreter is one the project supports."""
    from packaging.specifiers import SpecifierSet

    found = ".".join(map(str, sys.version_info[:3]))
    wanted = importlib.metadata.metadata(DISTRIBUTION)["Requires-Python"]
    if SpecifierSet(wanted).contains(found):
        return Result("Python", "ok", found)
    return Result("Python", "missing", found, f"make the environment with Python {wanted}: make install PYTHON=…")


def check_packages() -> Iterator[Result]:
    """Every declared dependency is installed in a version the project accepts; one line if all are."""
    from packaging.requirements import Requirement

    wrong = 0
    requirements = [Requirement(line) for line in importlib.metadata.requires(DISTRIBUTION) or []]
    runtime = [requirement for requirement in requirements if requirement.marker is None]
    for requirement in runtime:
        cure = f"pip install '{requirement.name}{requirement.specifier}' -c constraints.txt"
        try:
            version = importlib.metadata.version(requirement.name)
        except importlib.metadata.PackageNotFoundError:
            wrong += 1
            yield Result(requirement.name, "missing", "not installed", cure)
            continue
        if not requirement.specifier.contains(version, prereleases=True):
            wrong += 1
            yield Result(requirement.name, "missing", f"{version}, expected {requirement.specifier}", cure)
    if not wrong:
        yield Result("packages", "ok", f"all {len(runtime)} in accepted versions")


def check_disk(home: Path) -> Result:
    """There is room where the home is."""
    existing = nearest_existing(home)
    free = shutil.disk_usage(existing).free / 2**30
    cure = f"free some space: {NEEDED_DISK_GIB} GiB are comfortable, or move STOCK_ASSETS_HOME"
    return _enough("disk", free >= NEEDED_DISK_GIB, f"{free:.1f} GiB free at {existing}", cure)


def check_memory() -> Result:
    """There is memory for training two models side by side."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    cure = "train fewer models at a time (--models) or on a larger machine"
    return _enough("memory", total >= WANTED_MEMORY_GIB, f"{total:.1f} GiB", cure)


def check_cores() -> Result:
    """Model steps run side by side."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return _enough("cores", cores >= WANTED_CORES, str(cores), "training takes about twice as long as on two")


def _enough(name: str, is_enough: bool, found: str, cure: str) -> Result:
    return Result(name, "ok", found) if is_enough else Result(name, "warn", found, cure)


def check_port(port: int, service: str) -> Result:
    """Nobody else listens on the port of one of our services."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        taken = probe.connect_ex(("127.0.0.1", port)) == 0
    if not taken:
        return Result(f"port {port}", "ok", f"free ({service})")
    return Result(f"port {port}", "warn", f"in use; perhaps our own {service}", "stop what listens there if it is not")


def check_network(host: str, port: int) -> Result:
    """The host of the `yahoo` source can be reached."""
    try:
        socket.create_connection((host, port), timeout=5).close()
    except OSError as error:
        cure = "check the connection, or work offline with --source sample"
        return Result("network", "warn", f"{host} cannot be reached: {error}", cure)
    return Result("network", "ok", f"{host} answers")
