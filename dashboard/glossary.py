"""The glossary: one file of terms, shown where they are used and in the documents."""

import re
from functools import cache
from pathlib import Path

import panel as pn

from dashboard.parts import details, marked
from stock_assets.errors import StockAssetsError

SOURCE = Path(__file__).with_name("glossary.md")
_ENTRY = re.compile(r"^- \*\*(?P<terms>.+?)\*\*(?P<text>.*(?:\n  .*)*)", re.MULTILINE)


class UnknownTerm(StockAssetsError):
    """A page names a term that the glossary does not have."""


@cache
def entries() -> dict[str, str]:
    """Term → its entry in Markdown, links to files taken out. An entry of several terms is found by each."""
    found: dict[str, str] = {}
    for entry in _ENTRY.finditer(SOURCE.read_text(encoding="utf-8")):
        text = re.sub(r"\s*\n\s+", " ", entry[0].removeprefix("- "))
        text = re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text)
        for term in entry["terms"].split(", "):
            found[term] = text
    return found


def explain(terms: tuple[str, ...]) -> pn.pane.HTML:
    """A closed section that explains terms, empty without any; `UnknownTerm` for one that is not in the glossary."""
    missing = [term for term in terms if term not in entries()]
    if missing:
        raise UnknownTerm(f"the glossary has no entry {missing[0]!r}", cure=f"add it to {SOURCE.name}")
    if not terms:
        return pn.pane.HTML("")
    items = "".join(f"<li style='margin:6px 0'>{_as_markup(entries()[term])}</li>" for term in dict.fromkeys(terms))
    return details("What these words mean", f"<ul>{items}</ul>")


def _as_markup(entry: str) -> str:
    """The little Markdown of entries as HTML: bold, emphasis, code."""
    text = re.sub(r"\*\*(.+?)\*\*", r"<strong>\1</strong>", marked(entry))
    return re.sub(r"\*(.+?)\*", r"<em>\1</em>", text)
