"""Every model's next close with its intervals, beside the random walk's answer."""

import pandas as pd
from bokeh.models import HoverTool

from dashboard.charts.base import chart, empty, rule
from dashboard.theme import BAND_ALPHA, model_colours

_THICKNESS = {95: 0.26, 90: 0.42, 80: 0.58, 50: 0.74}
_TOOLTIPS = [
    ("model", "@model"),
    ("forecast", "@predicted{0,0.00}"),
    ("50 %", "@lower_50{0,0.00} to @upper_50{0,0.00}"),
    ("90 %", "@lower_90{0,0.00} to @upper_90{0,0.00}"),
]


class Intervals:
    """The chart. `show` changes what it shows; the figure stays the same."""

    def __init__(self) -> None:
        bounds = [f"{side}_{level}" for level in BAND_ALPHA for side in ("lower", "upper")]
        self._columns = ["model", "predicted", *bounds]
        self._source = empty(*self._columns, "colour")
        self.figure = chart(height=440, y_range=[""])
        for level, alpha in BAND_ALPHA.items():
            place = ("model", _THICKNESS[level], f"lower_{level}", f"upper_{level}")
            look = {"fill_color": "colour", "fill_alpha": alpha + 0.12, "line_alpha": 0}
            bars = self.figure.hbar(*place, source=self._source, **look)
        self.figure.add_tools(HoverTool(renderers=[bars], tooltips=_TOOLTIPS))
        self.figure.scatter("predicted", "model", source=self._source, size=9, color="colour", line_color="white")
        self._walk = rule(self.figure, dimension="height")
        self.figure.ygrid.visible = False

    def show(self, forecasts: pd.DataFrame) -> None:
        """Show one row for each model, the first on top. Takes rows of `latest_forecasts`; at least one."""
        colours = model_colours(forecasts["model"])
        self.figure.y_range.factors = forecasts["model"].tolist()[::-1]
        self._source.data = {
            **{name: forecasts[name].to_numpy() for name in self._columns},
            "colour": [colours[model] for model in forecasts["model"]],
        }
        self._walk.location = float(forecasts["naive"].iloc[0])
