"""News below each other: when, what kind, and a sentence. Text from data is never markup here."""

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import panel as pn
from panel.viewable import Viewable, Viewer

from dashboard.parts import marked

_ROW = (
    '<div style="padding:7px 0;border-top:1px solid #8a94a633;line-height:1.45;font-size:0.92rem">'
    '<span style="opacity:0.72;font-size:0.85rem;white-space:nowrap">{when}</span> '
    '<strong>{kind}</strong> <span style="white-space:pre-line">{message}</span></div>'
)


@dataclass(frozen=True)
class Item:
    """One piece of news: when, as people read it; what kind, in a word or two; and a sentence."""

    when: str
    kind: str
    message: str


class Feed(Viewer):
    """The list; `nothing` is what it says where there is none."""

    def __init__(self, nothing: str) -> None:
        super().__init__()
        self._nothing = nothing
        self._pane = pn.pane.HTML(sizing_mode="stretch_width", margin=(2, 0))
        self.show([])

    def show(self, items: Sequence[Item]) -> None:
        """Show these, in this order."""
        self.items = tuple(items)
        rows = [
            _ROW.format(when=escape(item.when), kind=escape(item.kind), message=marked(item.message)) for item in items
        ]
        self._pane.object = "".join(rows) or f'<p style="margin:4px 0;opacity:0.72">{marked(self._nothing)}</p>'

    def __panel__(self) -> Viewable:
        """The pane."""
        return self._pane
