"""How often each size of error was made: each model's as a line, the random walk's filled behind."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from bokeh.models import ColumnDataSource, HoverTool, NumeralTickFormatter, Span

from dashboard.charts.base import chart
from dashboard.theme import NEUTRAL

_Floats = np.ndarray[tuple[int], np.dtype[np.float64]]
_BINS = 41
_REACH = 3.5  # standard deviations of the random walk's errors; what lies beyond is counted in the outermost bins
_TOOLTIPS = [("random walk's error", "@left{0.00} to @right{0.00} %"), ("share of sessions", "@share{0.0 %}")]


class Errors:
    """The chart. `show` changes what it shows; the figure stays the same."""

    def __init__(self) -> None:
        self._walk = ColumnDataSource({name: [] for name in ("left", "right", "share")})
        self._lines = ColumnDataSource({name: [] for name in ("xs", "ys", "model", "colour")})
        self.figure = chart(height=320)
        bars = self.figure.quad(
            left="left", right="right", top="share", bottom=0, source=self._walk, fill_color=NEUTRAL, fill_alpha=0.4,
            line_color=NEUTRAL, line_alpha=0.4,
        )  # fmt: skip
        lines = self.figure.multi_line("xs", "ys", source=self._lines, color="colour", line_width=2)
        self.figure.add_layout(Span(dimension="height", location=0, line_color=NEUTRAL, line_width=1))
        self.figure.add_tools(HoverTool(renderers=[bars], tooltips=_TOOLTIPS))
        self.figure.add_tools(HoverTool(renderers=[lines], tooltips=[("model", "@model")]))
        self.figure.xaxis.axis_label = "predicted − actual [%]"
        self.figure.yaxis.formatter = NumeralTickFormatter(format="0 %")
        self.figure.y_range.start = 0

    def show(self, rows: pd.DataFrame, models: list[str], colours: Mapping[str, str]) -> None:
        """Show shares of sessions by size of `error` and of `walk_error` [%]; at least one row."""
        walk = rows.drop_duplicates("target_session")["walk_error"].to_numpy()
        reach = _REACH * float(walk.std()) or 1.0
        edges = np.linspace(-reach, reach, _BINS + 1)
        self._walk.data = {"left": edges[:-1], "right": edges[1:], "share": _shares(walk, edges)}
        own = {model: _shares(rows.loc[rows["model"] == model, "error"].to_numpy(), edges) for model in models}
        self._lines.data = {
            "xs": [np.repeat(edges, 2)[1:-1]] * len(models),
            "ys": [np.repeat(shares, 2) for shares in own.values()],
            "model": models,
            "colour": [colours[model] for model in models],
        }


def _shares(errors: _Floats, edges: _Floats) -> _Floats:
    counted, _ = np.histogram(np.clip(errors, edges[0], edges[-1]), edges)
    shares: _Floats = counted / max(len(errors), 1)
    return shares
