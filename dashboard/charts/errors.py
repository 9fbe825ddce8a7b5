"""Errors of models beside those of the random walk: summed session by session, through time, and by size."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from bokeh.models import HoverTool, NumeralTickFormatter, Span

from dashboard.charts.base import chart, empty, rule
from dashboard.theme import NEUTRAL

_Floats = np.ndarray[tuple[int], np.dtype[np.float64]]
_BINS = 41
_REACH = 3.5  # standard deviations of the random walk's errors; what lies beyond is counted in the outermost bins
_AHEAD = [("model", "@model"), ("session", "$snap_x{%F}"), ("ahead by", "$snap_y{+0.00} squared %")]
_MISSED = [("model", "@model"), ("session", "@session{%F}"), ("error", "@error{+0.00} %")]
_COUNTED = [("random walk's error", "@left{0.00} to @right{0.00} %"), ("share of sessions", "@share{0.0 %}")]


class Gains:
    """How far ahead of the random walk models have come, session by session (Goyal & Welch, 2008)."""

    def __init__(self) -> None:
        self._source = empty("xs", "ys", "model", "colour")
        self.figure = chart(height=380, x_axis_type="datetime")
        lines = self.figure.multi_line("xs", "ys", source=self._source, color="colour", line_width=2.2)
        rule(self.figure, 0)
        self.figure.add_tools(HoverTool(renderers=[lines], tooltips=_AHEAD, formatters={"$snap_x": "datetime"}))
        self.figure.yaxis.axis_label = "ahead of the random walk [squared %]"

    def show(self, gains: Mapping[str, "pd.Series[float]"], colours: Mapping[str, str]) -> None:
        """Show for each model the sum so far of the random walk's squared error less the model's, by session."""
        self._source.data = {
            "xs": [own.index.to_numpy() for own in gains.values()],
            "ys": [own.to_numpy() for own in gains.values()],
            "model": list(gains),
            "colour": [colours[model] for model in gains],
        }


class Residuals:
    """Errors through time: whether a model is wrong in spells, in one direction, or more than it used to be."""

    def __init__(self) -> None:
        self._source = empty("session", "error", "model", "colour")
        self.figure = chart(height=320, x_axis_type="datetime")
        self.figure.add_layout(Span(dimension="width", location=0, line_color=NEUTRAL, line_width=1))
        dots = self.figure.scatter("session", "error", source=self._source, color="colour", size=4, alpha=0.55)
        self.figure.add_tools(HoverTool(renderers=[dots], tooltips=_MISSED, formatters={"@session": "datetime"}))
        self.figure.yaxis.axis_label = "predicted − actual [%]"

    def show(self, rows: pd.DataFrame, colours: Mapping[str, str]) -> None:
        """Show one dot for each row: columns target_session, model and error [%]."""
        self._source.data = {
            "session": rows["target_session"].to_numpy(),
            "error": rows["error"].to_numpy(),
            "model": rows["model"].to_numpy(),
            "colour": rows["model"].map(colours).to_numpy(),
        }


class Errors:
    """How often each size of error was made: each model's as a line, the random walk's filled behind."""

    def __init__(self) -> None:
        self._walk = empty("left", "right", "share")
        self._lines = empty("xs", "ys", "model", "colour")
        self.figure = chart(height=320)
        bars = self.figure.quad(
            left="left", right="right", top="share", bottom=0, source=self._walk, fill_color=NEUTRAL, fill_alpha=0.4,
            line_color=NEUTRAL, line_alpha=0.4,
        )  # fmt: skip
        lines = self.figure.multi_line("xs", "ys", source=self._lines, color="colour", line_width=2)
        self.figure.add_layout(Span(dimension="height", location=0, line_color=NEUTRAL, line_width=1))
        self.figure.add_tools(HoverTool(renderers=[bars], tooltips=_COUNTED))
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
