"""How far ahead of the random walk models have come, session by session (Goyal & Welch, 2008)."""

from collections.abc import Mapping

import pandas as pd
from bokeh.models import ColumnDataSource, HoverTool, Span

from dashboard.charts.base import chart
from dashboard.theme import NEUTRAL

_TOOLTIPS = [("model", "@model"), ("session", "$snap_x{%F}"), ("ahead by", "$snap_y{+0.00} squared %")]


class Gains:
    """The chart. `show` changes what it shows; the figure stays the same."""

    def __init__(self) -> None:
        self._source = ColumnDataSource({name: [] for name in ("xs", "ys", "model", "colour")})
        self.figure = chart(height=380, x_axis_type="datetime")
        lines = self.figure.multi_line("xs", "ys", source=self._source, color="colour", line_width=2.2)
        self.figure.add_layout(
            Span(dimension="width", location=0, line_color=NEUTRAL, line_dash="dashed", line_width=2)
        )
        self.figure.add_tools(HoverTool(renderers=[lines], tooltips=_TOOLTIPS, formatters={"$snap_x": "datetime"}))
        self.figure.yaxis.axis_label = "ahead of the random walk [squared %]"

    def show(self, gains: Mapping[str, "pd.Series[float]"], colours: Mapping[str, str]) -> None:
        """Show for each model the sum so far of the random walk's squared error less the model's, by session."""
        self._source.data = {
            "xs": [own.index.to_numpy() for own in gains.values()],
            "ys": [own.to_numpy() for own in gains.values()],
            "model": list(gains),
            "colour": [colours[model] for model in gains],
        }
