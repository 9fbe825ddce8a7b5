"""Each model's skill with its interval, the random walk's zero, and how much skill the rows could show at all."""

from collections.abc import Mapping

import numpy as np
import pandas as pd
from bokeh.models import BoxAnnotation, HoverTool, NumeralTickFormatter, Range1d

from dashboard.charts.base import chart, empty, rule
from dashboard.theme import NEUTRAL

_NUMBERS = ("skill_vs_naive", "skill_lower", "skill_upper")
_FORMAT = "+0.00 %"
_TOOLTIPS = [
    ("model", "@model"),
    ("skill", f"@skill_vs_naive{{{_FORMAT}}}"),
    ("95 %", f"@skill_lower{{{_FORMAT}}} to @skill_upper{{{_FORMAT}}}"),
]
_FAR = 4  # a band of noise so many times wider than the intervals fills the chart instead of shrinking them to points
_PIXELS_A_MODEL = 34


class Forest:
    """The chart. `show` changes what it shows; the figure stays the same."""

    def __init__(self) -> None:
        self._source = empty("model", "colour", *_NUMBERS)
        self.figure = drawn = chart(height=300, x_range=Range1d(-1, 1), y_range=[""])
        self._noise = BoxAnnotation(fill_color=NEUTRAL, fill_alpha=0.14, line_alpha=0)
        drawn.add_layout(self._noise)
        rule(drawn, 0, dimension="height")
        ends = ("skill_lower", "model", "skill_upper", "model")
        drawn.segment(*ends, source=self._source, color="colour", line_width=5, alpha=0.55)
        points = drawn.scatter(
            "skill_vs_naive", "model", source=self._source, size=11, color="colour", line_color="white"
        )
        drawn.add_tools(HoverTool(renderers=[points], tooltips=_TOOLTIPS))
        drawn.xaxis.formatter = NumeralTickFormatter(format=_FORMAT)
        drawn.xaxis.ticker.desired_num_ticks = 4  # a phone is narrow
        drawn.ygrid.visible = False

    def show(self, scores: pd.DataFrame, colours: Mapping[str, str]) -> None:
        """Show a row a model, the first on top: rows of `leaderboard` of one ticker, scheme and role; at least one."""
        numbers = scores[list(_NUMBERS)].astype(float)
        self.figure.height = 90 + _PIXELS_A_MODEL * len(scores)
        self.figure.y_range.factors = scores["model"].tolist()[::-1]
        self._source.data = {
            "model": scores["model"].to_numpy(),
            "colour": scores["model"].map(colours).to_numpy(),
            **{name: numbers[name].to_numpy() for name in _NUMBERS},
        }
        reach = 1.15 * float(np.nanmax(np.abs(numbers.to_numpy()), initial=1e-4))
        detectable = float(scores["minimum_detectable_skill"].max())
        self._noise.update(visible=bool(detectable == detectable), left=-detectable, right=detectable)
        if detectable <= _FAR * reach:
            reach = max(reach, 1.15 * detectable)
        self.figure.x_range.update(start=-reach, end=reach)
