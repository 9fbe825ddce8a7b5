"""Documents cannot drift: generated ones are fresh, links lead somewhere, commands and targets that are named exist."""

import importlib.util
import re
import subprocess
from pathlib import Path
from types import ModuleType

import pytest

from tests.project.sources import ROOT

DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]
each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.relative_to(ROOT).as_posix())


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
    for path in (ROOT / "docs" / "adr").glob("[0-9]*.md"):
        assert index.count(f"({path.name})") == 1, path.name


@pytest.mark.parametrize("path", sorted((ROOT / "docs" / "adr").glob("[0-9]*.md")), ids=lambda path: path.stem)
def test_a_decision_has_its_four_parts(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert text.startswith(f"# {path.name[:4]} — ")
    assert "\nStatus: " in text
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == ["Context", "Decision", "Consequences"]


@each_document
def test_links_to_files_lead_somewhere(document: Path) -> None:
    links = re.findall(r"\]\(([^)#]+)[^)]*\)", document.read_text(encoding="utf-8"))
    broken = [link for link in links if "://" not in link and not (document.parent / link).exists()]
    assert not broken


@each_document
def test_files_that_are_named_exist(document: Path) -> None:
    named = re.findall(
        r"`((?:stock_assets|storage|dashboard|tests|docs|benchmarks)/[\w./-]+)`", document.read_text(encoding="utf-8")
    )
    assert not [name for name in named if not (ROOT / name).exists()]


@each_document
def test_commands_and_targets_that_are_named_exist(document: Path) -> None:
    code = "\n".join(re.findall(r"`+([^`]+)`+", document.read_text(encoding="utf-8")))
    assert set(re.findall(r"\bmake ([a-z]+)\b", code)) <= _targets()
    assert set(re.findall(r"\bstock-assets ([a-z]+)\b", code)) <= _commands()


def test_the_readme_names_every_command() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert not [name for name in sorted(_commands()) if not re.search(rf"\b{name}\b", readme)]


def test_make_alone_lists_its_targets() -> None:
    alone = subprocess.run(["make"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert {"help", "install", "demo", "unit", "test", "check", "docs", "bench", "dev", "clean"} <= {
        line.split()[0] for line in alone.splitlines()
    }
