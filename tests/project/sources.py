"""Our own files as text and syntax trees, for tests about the project itself."""

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("stock_assets", "storage", "dashboard")


@dataclass(frozen=True)
class Module:
    """One Python file of ours."""

    path: Path

    @property
    def file(self) -> str:
        """Path from the project's root, with slashes."""
        return self.path.relative_to(ROOT).as_posix()

    @property
    def name(self) -> str:
        """Dotted name; a package's is its folder's."""
        return self.file.removesuffix(".py").removesuffix("/__init__").replace("/", ".")

    def at(self, line: int) -> str:
        """Where an offender is found, as editors open it."""
        return f"{self.file}:{line}"

    @cached_property
    def text(self) -> str:
        return self.path.read_text(encoding="utf-8")

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text, filename=self.file)

    @cached_property
    def nodes(self) -> list[ast.AST]:
        """Everything in the tree."""
        return list(ast.walk(self.tree))

    @cached_property
    def imports(self) -> list[tuple[int, str]]:
        """Line and dotted name of everything imported, wherever in the file. Relative imports are not used here."""
        return list(self._imports())

    def _imports(self) -> Iterator[tuple[int, str]]:
        for node in self.nodes:
            if isinstance(node, ast.Import):
                yield from ((node.lineno, alias.name) for alias in node.names)
            elif isinstance(node, ast.ImportFrom):
                assert node.level == 0, f"{self.file}:{node.lineno} imports relatively"
                yield from ((node.lineno, _imported(str(node.module), alias.name)) for alias in node.names)

    def calls(self) -> Iterator[tuple[ast.Call, str]]:
        """Every call with the dotted text of what is called."""
        for node in self.nodes:
            if isinstance(node, ast.Call):
                yield node, ast.unparse(node.func)


def _imported(module: str, name: str) -> str:
    """`from storage import lake` and `from storage.lake import Lake` both import the module storage.lake."""
    below = ROOT.joinpath(*module.split("."), name)
    return f"{module}.{name}" if below.is_dir() or below.with_suffix(".py").exists() else module


def modules(*folders: str) -> list[Module]:
    """Every file of the folders, by default of the packages that are installed."""
    return [_module(path) for folder in folders or PACKAGES for path in sorted((ROOT / folder).rglob("*.py"))]


@cache
def _module(path: Path) -> Module:
    """Read and parsed once for all rules."""
    return Module(path)


def assert_none(offenders: Iterable[str]) -> None:
    """A rule is one test; where it fails, it names everything that breaks it, a line each."""
    found = list(offenders)
    assert not found, "\n".join([f"{len(found)} found", *found])
