"""Writes the generated documents; `--check` only says which are stale. Called by `make docs` and `make check`."""

import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
ADR = ROOT / "docs" / "adr"


def adr_index() -> str:
    """The list of decisions, from the titles of their files."""
    lines = [_entry(path) for path in sorted(ADR.glob("[0-9]*.md")) if not path.name.startswith("0000")]
    intro = "One page each; a new one starts from [the template](0000-template.md). `make docs` makes this list."
    return "\n".join(["# Decisions", "", intro, "", *lines, ""])


def _entry(path: Path) -> str:
    text = path.read_text(encoding="utf-8")
    title = text.splitlines()[0].removeprefix("# ")
    status = next(
        (line.removeprefix("Status: ") for line in text.splitlines() if line.startswith("Status: ")), "accepted"
    )
    return f"- [{title}]({path.name})" + ("" if status == "accepted" else f" ({status})")


def _lineage() -> str:
    from stock_assets.document import render_lineage

    return render_lineage()


def _tables() -> str:
    from storage.document import render_tables

    return render_tables()


def _glossary() -> str:
    from dashboard.glossary import SOURCE

    return SOURCE.read_text(encoding="utf-8")


DOCUMENTS: dict[str, Callable[[], str]] = {
    "docs/adr/README.md": adr_index,
    "docs/glossary.md": _glossary,
    "docs/lineage.md": _lineage,
    "docs/tables.md": _tables,
}


def stale() -> list[str]:
    """Documents whose file is not what would be generated now."""
    return [name for name, make in DOCUMENTS.items() if _content(ROOT / name) != make()]


def _content(path: Path) -> str | None:
    return path.read_text(encoding="utf-8") if path.exists() else None


def main() -> None:
    """Write what is stale, or with `--check` fail and name it."""
    outdated = stale()
    if "--check" in sys.argv[1:]:
        sys.exit(f"stale: {', '.join(outdated)} — run `make docs` and commit the result" if outdated else 0)
    for name in outdated:
        (ROOT / name).write_text(DOCUMENTS[name](), encoding="utf-8")
        sys.stdout.write(f"written: {name}\n")


if __name__ == "__main__":
    main()
