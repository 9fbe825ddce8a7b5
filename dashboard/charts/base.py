"""What every chart shares: size, tools, a text alternative, and prices by session without gaps at weekends."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date
from html import escape
from typing import Any

import panel as pn
from bokeh.models import ColumnDataSource, CustomJSTickFormatter, HoverTool, Span
from bokeh.plotting import figure

from dashboard import words
from dashboard.parts import Part
from dashboard.theme import NEUTRAL

Figure = Any  # bokeh.plotting.figure, which is a class made at run time


_ITEM = (
    '<span style="white-space:nowrap;margin-right:16px;font-size:0.85rem">'
    '<span style="display:inline-block;width:12px;height:12px;border-radius:3px;background:{colour};'
    'margin-right:6px;vertical-align:-1px"></span>{name}</span> '
)


class Key(Part):
    """Which colour is which model: one line above charts that share their colours; empty until `show`."""

    def show(self, models: Iterable[str], colours: Mapping[str, str]) -> None:
        """Name these models beside their colours."""
        self._pane.object = "".join(
            _ITEM.format(colour=colours[model], name=escape(words.name(model))) for model in models
        )


def chart(*, height: int = 360, tooltips: Sequence[tuple[str, str]] | None = None, **options: Any) -> Figure:
    """An empty figure as wide as its place; it can be reached by keyboard and is read out by `describe`."""
    drawn = figure(
        height=height,
        sizing_mode="stretch_width",
        tools="xpan,box_zoom,reset,save",
        toolbar_location="above",
        html_attributes={"role": "img", "tabindex": "0"},
        **options,
    )
    drawn.toolbar.logo = None
    drawn.toolbar.autohide = True
    drawn.min_border_right = 12
    if tooltips:
        drawn.add_tools(HoverTool(tooltips=list(tooltips), mode="mouse"))
    return drawn


def describe(drawn: Figure, text: str) -> None:
    """Say in words what a chart shows now: its alternative text."""
    drawn.html_attributes = {**drawn.html_attributes, "aria-label": text}


def pane(drawn: Figure) -> pn.pane.Bokeh:
    """A figure as part of a page."""
    return pn.pane.Bokeh(drawn, sizing_mode="stretch_width")


def empty(*columns: str) -> ColumnDataSource:
    """What a glyph is drawn from, without rows yet."""
    return ColumnDataSource({name: [] for name in columns})


def rule(drawn: Figure, at: float | None = None, *, dimension: str = "width", line_width: float = 2) -> Span:
    """A dashed line across the chart, at a value that means something."""
    line = Span(dimension=dimension, location=at, line_color=NEUTRAL, line_dash="dashed", line_width=line_width)
    drawn.add_layout(line)
    return line


def by_session(drawn: Figure) -> CustomJSTickFormatter:
    """Let positions 0, 1, 2 … of the x axis be sessions: no gaps at weekends. Give it dates with `set_sessions`."""
    drawn.xaxis.formatter = CustomJSTickFormatter(args={"labels": []}, code="return labels[Math.round(tick)] ?? ''")
    drawn.xaxis.ticker.min_interval = 1
    drawn.xgrid.visible = False
    return drawn.xaxis.formatter


def set_sessions(formatter: CustomJSTickFormatter, sessions: Sequence[date]) -> None:
    """The sessions at positions 0, 1, 2 …"""
    formatter.args = {"labels": [f"{session:%Y-%m-%d}" for session in sessions]}
