"""Errors through time: whether a model is wrong in spells, in one direction, or more than it used to be."""

from collections.abc import Mapping

import pandas as pd
from bokeh.models import ColumnDataSource, HoverTool, Span

from dashboard.charts.base import chart
from dashboard.theme import NEUTRAL

_TOOLTIPS = [("model", "@model"), ("session", "@session{%F}"), ("error", "@error{+0.00} %")]


class Residuals:
    """The chart. `show` changes what it shows; the figure stays the same."""

    def __init__(self) -> None:
        self._source = ColumnDataSource({name: [] for name in ("session", "error", "model", "colour")})
        self.figure = chart(height=320, x_axis_type="datetime")
        self.figure.add_layout(Span(dimension="width", location=0, line_color=NEUTRAL, line_width=1))
        dots = self.figure.scatter("session", "error", source=self._source, color="colour", size=4, alpha=0.55)
        self.figure.add_tools(HoverTool(renderers=[dots], tooltips=_TOOLTIPS, formatters={"@session": "datetime"}))
        self.figure.yaxis.axis_label = "predicted − actual [%]"

    def show(self, rows: pd.DataFrame, colours: Mapping[str, str]) -> None:
        """Show one dot for each row: columns target_session, model and error [%]."""
        self._source.data = {
            "session": rows["target_session"].to_numpy(),
            "error": rows["error"].to_numpy(),
            "model": rows["model"].to_numpy(),
            "colour": rows["model"].map(colours).to_numpy(),
        }
