"""Documents cannot drift: generated ones are fresh, links lead somewhere, commands and targets that are named exist."""

import importlib.util
import re
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from tests.project.sources import ROOT, assert_none

DOCUMENTS = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
}
DECISIONS = {name: text for name, text in DOCUMENTS.items() if re.fullmatch(r"docs/adr/[0-9].*", name)}


def _generator() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate", ROOT / "docs" / "generate.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _targets() -> set[str]:
    listing = subprocess.run(["make", "help"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    return {line.split()[0] for line in listing.splitlines()}


def _commands() -> set[str]:
    from stock_assets.cli import build_app

    app = build_app()
    commands = {
        str(command.name or command.callback.__name__) for command in app.registered_commands if command.callback
    }
    return commands | {str(group.name) for group in app.registered_groups}


@pytest.mark.parametrize("name", _generator().DOCUMENTS)
def test_a_generated_document_is_what_would_be_generated_now(name: str) -> None:
    made = _generator().DOCUMENTS[name]()
    assert (ROOT / name).read_text(encoding="utf-8") == made, "run `make docs` and commit the result"


def test_the_index_names_every_decision_once() -> None:
    index = (ROOT / "docs" / "adr" / "README.md").read_text(encoding="utf-8")
    assert_none(name for name in DECISIONS if index.count(f"({Path(name).name})") != 1)


def test_a_decision_has_its_four_parts() -> None:
    parts = ["Context", "Decision", "Consequences"]
    assert_none(
        name
        for name, text in DECISIONS.items()
        if not text.startswith(f"# {Path(name).name[:4]} — ")
        or "\nStatus: " not in text
        or re.findall(r"^## (.+)$", text, re.MULTILINE) != parts
    )


def test_a_decision_that_is_superseded_says_by_which_and_that_one_says_so_too() -> None:
    pairs = [
        (name, later)
        for name, text in DECISIONS.items()
        for later in re.findall(r"^Status: .*?superseded(?: in part)? by (\d{4})", text, re.MULTILINE)
    ]
    assert pairs
    statuses = {Path(name).name[:4]: text.split("\n## ")[0] for name, text in DECISIONS.items()}
    assert_none(
        f"{name} is superseded by {later}, which does not say so"
        for name, later in pairs
        if Path(name).name[:4] not in statuses.get(later, "").partition("supersedes")[2]
    )


def test_links_to_files_lead_somewhere() -> None:
    assert_none(
        f"{name}: {link}"
        for name, text in DOCUMENTS.items()
        for link in re.findall(r"\]\(([^)#]+)[^)]*\)", text)
        if "://" not in link and not ((ROOT / name).parent / link).exists()
    )


def test_files_that_are_named_exist() -> None:
    files = r"`((?:stock_assets|storage|dashboard|tests|docs|benchmarks)/[\w./-]+)`"
    assert_none(
        f"{name}: {file}"
        for name, text in DOCUMENTS.items()
        for file in re.findall(files, text)
        if not (ROOT / file).exists()
    )


def test_commands_and_targets_that_are_named_exist() -> None:
    targets, commands = _targets(), _commands()
    code = {name: "\n".join(re.findall(r"`+([^`]+)`+", text)) for name, text in DOCUMENTS.items()}
    assert_none(
        f"{name}: {program} {word}"
        for name, text in code.items()
        for program, known in (("make", targets), ("stock-assets", commands))
        for word in re.findall(rf"\b{program} ([a-z]+)\b", text)
        if word not in known
    )


def test_the_readme_names_every_command() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert not [name for name in sorted(_commands()) if not re.search(rf"\b{name}\b", readme)]


def test_every_variable_of_ours_is_in_a_document() -> None:
    read = set(re.findall(r"STOCK_ASSETS_[A-Z_]+", (ROOT / "stock_assets" / "settings.py").read_text(encoding="utf-8")))
    told = "".join(text for name, text in DOCUMENTS.items() if name not in DECISIONS)
    assert_none(variable for variable in sorted(read) if not re.search(rf"\b{variable}\b", told))


def test_make_alone_lists_its_targets() -> None:
    alone = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {"help", "install", "demo", "unit", "test", "check", "docs", "bench", "dev", "clean"} <= {
        line.split()[0] for line in alone.splitlines()
    }
