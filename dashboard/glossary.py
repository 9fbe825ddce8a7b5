"""The glossary: one file of terms, shown where they are used and in the documents."""

import re
from functools import cache
from pathlib import Path

import panel as pn
import panel_material_ui as pmui

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


def explain(terms: tuple[str, ...]) -> pmui.Accordion | pn.Spacer:
    """A closed section that explains terms.

    Raises:
        UnknownTerm: the glossary does not have one of them.
    """
    if not terms:
        return pn.Spacer(height=0)
    missing = [term for term in terms if term not in entries()]
    if missing:
        raise UnknownTerm(f"the glossary has no entry {missing[0]!r}", cure=f"add it to {SOURCE.name}")
    text = "\n".join(f"- {entries()[term]}" for term in terms)
    explained = pn.pane.Markdown(text, sizing_mode="stretch_width", margin=(0, 12))
    return pmui.Accordion(("What these words mean", explained), active=[], sizing_mode="stretch_width")
