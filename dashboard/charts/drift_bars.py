"""How far each input has moved, as a multiple of what counts as drift."""

import numpy as np
import pandas as pd
from bokeh.models import ColumnDataSource, HoverTool, Span

from dashboard.charts.base import chart
from dashboard.theme import ACCENT, DOWN, NEUTRAL

_TOOLTIPS = [("input", "@feature"), ("distance", "@statistic{0.00}"), ("drift above", "@threshold{0.00}")]


class DriftBars:
    """The chart. `show` changes what it shows; the figure stays the same."""

    def __init__(self) -> None:
        self._source = ColumnDataSource({name: [] for name in ("feature", "ratio", "statistic", "threshold", "colour")})
        self.figure = chart(height=420, y_range=[""])
        bars = self.figure.hbar(
            "feature", 0.66, "ratio", 0, source=self._source, color="colour", fill_alpha=0.8, line_alpha=0
        )
        self.figure.add_layout(
            Span(dimension="height", location=1, line_color=NEUTRAL, line_dash="dashed", line_width=2)
        )
        self.figure.add_tools(HoverTool(renderers=[bars], tooltips=_TOOLTIPS))
        self.figure.xaxis.axis_label = "distance from the reference, in thresholds: drift above 1"
        self.figure.ygrid.visible = False
        self.figure.x_range.start = 0

    def show(self, check: pd.DataFrame) -> None:
        """Show one bar for each input, the longest on top. Takes rows of `drift` of one check, with `ratio`."""
        ordered = check.sort_values("ratio")
        self.figure.y_range.factors = ordered["feature"].tolist()
        # The line at 1 is not part of the data, but has to be seen.
        self.figure.x_range.end = 1.06 * max(1.1, float(ordered["ratio"].max()))
        self._source.data = {
            **{name: ordered[name].to_numpy() for name in ("feature", "ratio", "statistic", "threshold")},
            "colour": np.where(ordered["drifted"].to_numpy(dtype=bool), DOWN, ACCENT),
        }
