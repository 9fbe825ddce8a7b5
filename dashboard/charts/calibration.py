"""What intervals promise beside what they keep: coverage over level, with its own uncertainty, and the diagonal."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from bokeh.models import HoverTool, NumeralTickFormatter, Range1d

from dashboard.charts.base import chart, empty
from dashboard.theme import NEUTRAL

_NUMBERS = ("level", "coverage", "coverage_lower", "coverage_upper", "n")
_SPREAD = 0.034  # of all models at one level: their whiskers stand beside each other, away from the next level's
_TOOLTIPS = [
    ("model", "@model"),
    ("promised", "@level %"),
    ("kept", "@coverage{0.0 %} (@coverage_lower{0.0 %} to @coverage_upper{0.0 %})"),
    ("sessions", "@n"),
]


class Calibration:
    """The chart. `show` changes what it shows; the figure stays the same."""

    def __init__(self) -> None:
        self._source = empty("model", "colour", "x", *_NUMBERS)
        self.figure = drawn = chart(height=440, x_range=Range1d(0.45, 1.0), y_range=Range1d(0, 1))
        drawn.line([0, 1], [0, 1], color=NEUTRAL, line_dash="dashed", line_width=1.6)
        drawn.segment(
            "x", "coverage_lower", "x", "coverage_upper", source=self._source, color="colour", line_width=2, alpha=0.75
        )
        points = drawn.scatter("x", "coverage", source=self._source, size=8, color="colour", line_color="white")
        drawn.add_tools(HoverTool(renderers=[points], tooltips=_TOOLTIPS))
        drawn.xaxis.axis_label, drawn.yaxis.axis_label = "promised", "closes inside"
        drawn.xaxis.ticker = [0.5, 0.8, 0.9, 0.95]
        for axis in (*drawn.xaxis, *drawn.yaxis):
            axis.formatter = NumeralTickFormatter(format="0 %")

    def show(self, calibration: pd.DataFrame, colours: Mapping[str, str]) -> None:
        """Show each model at each level. Takes rows of `calibration` of one scheme and role; at least one."""
        models = sorted(calibration["model"].unique())
        offsets = dict(zip(models, _SPREAD * (np.arange(len(models)) + 0.5) / len(models) - _SPREAD / 2, strict=True))
        self._source.data = {
            **{name: calibration[name].to_numpy() for name in ("model", *_NUMBERS)},
            "x": (calibration["level"] / 100 + calibration["model"].map(offsets)).to_numpy(),
            "colour": calibration["model"].map(colours).to_numpy(),
        }
        low = float(min(calibration["coverage_lower"].min(), 0.45))
        self.figure.y_range.update(start=low - 0.03, end=1.01)
