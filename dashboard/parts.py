"""Pieces that pages are made of: headings, sentences, notices, cards, links. Text from data is never markup here.

Panel-material-ui's own `Typography` decodes entities into markup, so text goes through `Text`.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from io import StringIO
from typing import Any

import pandas as pd
import panel as pn
import panel_material_ui as pmui
from panel.viewable import Viewable, Viewer

from dashboard.words import sentence_case
from stock_assets.errors import StockAssetsError

_STYLES = {
    "h1": "font-size:1.6rem;font-weight:700;line-height:1.25;letter-spacing:-0.01em",
    "h2": "font-size:1.05rem;font-weight:700",
    "lead": "font-size:1.15rem;font-weight:500;line-height:1.45",
    "p": "font-size:0.95rem",
    "small": "font-size:0.85rem;opacity:0.72",
}
_CARD = {
    "border": "1px solid color-mix(in srgb, currentColor 15%, transparent)",
    "border-radius": "10px",
    "padding": "10px 14px",
    "box-sizing": "border-box",
}
_NOTICE_COLOURS = {"info": "#3b82f6", "warning": "#f59e0b", "error": "#e5484d", "success": "#10a37f"}
_NEWS = (
    '<div style="padding:7px 0;border-top:1px solid #8a94a633;line-height:1.45;font-size:0.92rem">'
    '<span style="opacity:0.72;font-size:0.85rem;white-space:nowrap">{when}</span> '
    '<strong>{kind}</strong> <span style="white-space:pre-line">{message}</span></div>'
)


class Part(Viewer):
    """A piece of a page, shown as the pane that it fills."""

    def __init__(self, pane: Viewable | None = None) -> None:
        super().__init__()
        self._pane = pn.pane.HTML(sizing_mode="stretch_width", margin=(2, 0)) if pane is None else pane

    def __panel__(self) -> Viewable:
        """The pane."""
        return self._pane


class Text(Part):
    """A line of text that pages change; whatever it holds is shown as it is. Kinds: h1, h2, lead, p, small."""

    def __init__(self, text: str = "", kind: str = "p") -> None:
        super().__init__()
        self._kind = kind
        self.say(text)

    def say(self, text: str) -> None:
        """Show another text."""
        tag = self._kind if self._kind in ("h1", "h2") else "p"
        self.text = text
        self._pane.object = f'<{tag} style="margin:0;{_STYLES[self._kind]}">{marked(text)}</{tag}>'


class Notice(Part):
    """A coloured box that says something important and what to do about it; hidden, by being empty, until it does.

    Not by `visible`: a pane that is made visible before the browser has drawn it fails in the browser.
    """

    def __init__(self) -> None:
        super().__init__(pn.pane.HTML(sizing_mode="stretch_width", margin=0))
        self.text = ""

    def say(self, severity: str, what: str, cure: str = "") -> None:
        """Show it. Severities: info, warning, error, success."""
        self.text = f"{what} {cure}".strip()
        colour = _NOTICE_COLOURS[severity]
        role = "alert" if severity == "error" else "status"
        style = (
            f"margin:6px 0;padding:10px 14px;line-height:1.45;"
            f"border-left:4px solid {colour};background:{colour}1f;border-radius:8px"
        )
        more = f"<div>{marked(cure)}</div>" if cure else ""
        self._pane.object = f'<div role="{role}" style="{style}"><strong>{marked(what)}</strong>{more}</div>'

    def tell(self, severity: str, error: StockAssetsError) -> None:
        """Say what is wrong and how to cure it."""
        self.say(severity, sentence_case(error.problem), sentence_case(error.cure))

    def hide(self) -> None:
        """Say nothing."""
        self.text = self._pane.object = ""


class Confirm(Part):
    """A question with two answers, hidden until it is asked."""

    def __init__(self) -> None:
        self._act: Callable[[], None] | None = None
        self._question = Text()
        self.yes = pmui.Button(variant="contained", size="small", color="warning")
        self.no = pmui.Button(label="Not now", variant="text", size="small")
        self.yes.on_click(lambda _: self._answer())
        self.no.on_click(lambda _: self.hide())
        answers = pn.FlexBox(self.yes, self.no, gap="8px")
        super().__init__(pn.Column(self._question, answers, visible=False, sizing_mode="stretch_width"))

    def ask(self, question: str, verb: str, act: Callable[[], None]) -> None:
        """Ask; `act` is called if the answer is `verb`."""
        self._act = act
        self._question.say(question)
        self.yes.label = verb
        self._pane.visible = True

    def hide(self) -> None:
        """Take the question back."""
        self._act = None
        self._pane.visible = False

    def _answer(self) -> None:
        act = self._act
        self.hide()
        if act is not None:
            act()


@dataclass(frozen=True)
class Item:
    """One piece of news: when, as people read it; what kind, in a word or two; and a sentence."""

    when: str
    kind: str
    message: str


class Feed(Part):
    """News below each other; `nothing` is what it says where there is none."""

    def __init__(self, nothing: str) -> None:
        super().__init__()
        self._nothing = nothing
        self.show([])

    def show(self, items: Sequence[Item]) -> None:
        """Show these, in this order."""
        self.items = tuple(items)
        rows = [
            _NEWS.format(when=escape(item.when), kind=escape(item.kind), message=marked(item.message)) for item in items
        ]
        self._pane.object = "".join(rows) or f'<p style="margin:4px 0;opacity:0.72">{marked(self._nothing)}</p>'


def marked(text: str) -> str:
    """Text as HTML that shows it as it is, but for `commands`, which look like commands."""
    return re.sub(r"`([^`]+)`", r"<code>\1</code>", escape(text))


def card(title: str, *content: Viewable) -> pn.Column:
    """A surface with a heading."""
    return pn.Column(Text(title, "h2"), *content, styles=_CARD, sizing_mode="stretch_width", margin=(8, 0))


def side_by_side(*weighted: tuple[int, Viewable]) -> pn.FlexBox:
    """Parts beside each other where there is room, below each other where there is not; wide in proportion."""
    for weight, part in weighted:
        part.styles = {**part.styles, "flex": f"{weight} 1 {55 * weight}px", "min-width": "min(100%, 300px)"}
    return pn.FlexBox(*(part for _, part in weighted), gap="0 16px", sizing_mode="stretch_width")


def details(summary: str, markup: str) -> pn.pane.HTML:
    """A closed section that people open. `markup` is HTML of ours, never text from data."""
    return pn.pane.HTML(
        f"<details><summary style='cursor:pointer;font-weight:600'>{escape(summary)}</summary>{markup}</details>",
        sizing_mode="stretch_width",
        margin=(12, 0, 0, 0),
    )


def ticker_field(**layout: Any) -> pmui.AutocompleteInput:
    """One of the universe's tickers, chosen from a list or by typing how it begins; the page gives it `options`.

    Not a `Select`: the browser draws every entry of that one's menu again at each choice, which is felt with hundreds.
    """
    return pmui.AutocompleteInput(label="Ticker", size="small", min_characters=0, case_sensitive=False, **layout)


def link(text: str, address: str) -> str:
    """An HTML link that opens a new tab."""
    return f'<a href="{escape(address, quote=True)}" target="_blank" rel="noopener">{escape(text)}</a>'


def download(name: str, current: Callable[[], pd.DataFrame]) -> pmui.FileDownload:
    """A button that saves what is shown as `name`.csv; `current` gives the rows at the moment of the click."""

    def csv() -> StringIO:
        button.data = None  # the browser saves when this changes: the same rows must be saved a second time too
        return StringIO(current().to_csv(index=False))

    button = pmui.FileDownload(callback=csv, filename=f"{name}.csv", label="CSV", auto=True, size="small", width=92)
    button.variant = "outlined"  # Panel warns of its own old name for it where this is given above
    return button
