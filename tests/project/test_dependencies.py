"""What is imported is declared, what is declared is used, and the whole closure is pinned to what is installed."""

import importlib.metadata
import re
import sys
import tomllib
from functools import cache

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

from tests.project.sources import ROOT, modules

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
RUNTIME = {canonicalize_name(Requirement(line).name) for line in PROJECT["dependencies"]}
EXTRAS = {
    extra: {canonicalize_name(Requirement(line).name) for line in lines} - {PROJECT["name"]}
    for extra, lines in PROJECT["optional-dependencies"].items()
}
DEVELOPMENT = EXTRAS["dev"]
OPTIONAL = set().union(*EXTRAS.values()) - DEVELOPMENT
# The platform's services, which later work builds on; part of the installation from the first release on.
PLATFORM = {"dagster-webserver", "dagster-mlflow", "mlflow", "evidently", "panel", "panel-material-ui"}
USED_BY_LIBRARIES = {
    "curl-cffi": "yfinance breaks with other versions of it than its own release was made with",
    "tabulate": "pandas makes Markdown tables with it",
}
TOOLS = {"build", "mypy", "pandas-stubs", "pytest-cov", "pytest-xdist", "ruff", "setuptools"}
# PyTorch's CUDA build pins these itself, to the last digit.
PINNED_BY_TORCH = re.compile(r"^(nvidia|cuda|triton)")


_owners = cache(importlib.metadata.packages_distributions)


def _distributions(*folders: str) -> set[str]:
    """Distributions of everything that is not ours or the standard library's and is imported in the folders."""
    owners = _owners()
    tops = {name.split(".")[0] for module in modules(*folders) for _, name in module.imports}
    foreign = tops - sys.stdlib_module_names - {"stock_assets", "storage", "dashboard", "tests", "benchmarks"}
    # `mlflow` comes from two distributions; the one that is declared brings the other.
    names = ({canonicalize_name(owner) for owner in owners[top]} for top in foreign)
    return {min(found & RUNTIME or found) for found in names}


def test_every_import_of_the_packages_is_a_declared_dependency() -> None:
    assert _distributions() - RUNTIME - OPTIONAL == set()


def test_every_declared_dependency_is_used() -> None:
    assert (RUNTIME | OPTIONAL) - _distributions() - PLATFORM - set(USED_BY_LIBRARIES) == set()


def test_tests_and_scripts_import_only_what_the_development_installation_brings() -> None:
    assert _distributions("tests", "benchmarks", "docs") - RUNTIME - OPTIONAL - DEVELOPMENT == set()
    assert DEVELOPMENT - _distributions("tests", "benchmarks", "docs") - TOOLS == set()


def test_everything_that_is_installed_for_us_is_pinned_to_the_version_that_is_installed() -> None:
    pins = _pins()
    wrong = {
        name: (version, pins.get(name))
        for name, version in _closure(sorted(RUNTIME | OPTIONAL | DEVELOPMENT)).items()
        if not PINNED_BY_TORCH.match(name) and Version(version).public != pins.get(name)
    }
    assert wrong == {}


def _pins() -> dict[str, str]:
    lines = (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {canonicalize_name(name): version for name, version in pairs}


def _closure(requirements: list[str]) -> dict[str, str]:
    """Distribution → version of everything the requirements need on this platform."""
    found: dict[str, str] = {}
    seen = set()
    waiting = [Requirement(line) for line in requirements]
    while waiting:
        wanted = waiting.pop()
        name = canonicalize_name(wanted.name)
        if (name, frozenset(wanted.extras)) in seen:
            continue
        seen.add((name, frozenset(wanted.extras)))
        distribution = importlib.metadata.distribution(name)
        found[name] = distribution.version
        needs = [Requirement(line) for line in distribution.requires or []]
        extras = [*wanted.extras, ""]
        waiting += [
            need for need in needs if need.marker is None or any(need.marker.evaluate({"extra": e}) for e in extras)
        ]
    return found
