"""What every chart shares: size, tools, a text alternative, and prices by session without gaps at weekends."""

from collections.abc import Sequence
from datetime import date
from typing import Any

import panel as pn
from bokeh.models import CustomJSTickFormatter, HoverTool
from bokeh.plotting import figure

Figure = Any  # bokeh.plotting.figure, which is a class made at run time


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


def by_session(drawn: Figure) -> CustomJSTickFormatter:
    """Let positions 0, 1, 2 … of the x axis be sessions: no gaps at weekends. Give it dates with `set_sessions`."""
    drawn.xaxis.formatter = CustomJSTickFormatter(args={"labels": []}, code="return labels[Math.round(tick)] ?? ''")
    drawn.xaxis.ticker.min_interval = 1
    drawn.xgrid.visible = False
    return drawn.xaxis.formatter


def set_sessions(formatter: CustomJSTickFormatter, sessions: Sequence[date]) -> None:
    """The sessions at positions 0, 1, 2 …"""
    formatter.args = {"labels": [f"{session:%Y-%m-%d}" for session in sessions]}
