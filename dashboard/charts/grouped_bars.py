"""One bar a model in each of several groups, from a line that means something."""

from collections.abc import Mapping

import pandas as pd
from bokeh.models import FactorRange, HoverTool, NumeralTickFormatter

from dashboard.charts.base import chart, empty, rule

_CROWDED = 9  # groups; from here on their names stand upright


class GroupedBars:
    """The chart. `show` changes what it shows; the figure stays the same.

    Args:
        title: what a value is, for the tooltip.
        base: where bars begin: what the value would be if there were nothing to see, as a fraction.
    """

    def __init__(self, title: str, base: float = 0.0) -> None:
        self._base = base
        self._source = empty("x", "group", "model", "value", "colour")
        self.figure = chart(height=300, x_range=FactorRange(range_padding=0.03))
        bars = self.figure.vbar(
            "x", 0.86, "value", base, source=self._source, color="colour", fill_alpha=0.85, line_alpha=0
        )
        rule(self.figure, base, line_width=1)
        tooltips = [("model", "@model"), ("", "@group"), (title, "@value{+0.00 %}" if not base else "@value{0.0 %}")]
        self.figure.add_tools(HoverTool(renderers=[bars], tooltips=tooltips))
        self.figure.yaxis.formatter = NumeralTickFormatter(format="0.[00] %" if not base else "0 %")
        # The models' names are in the key and the tooltips.
        self.figure.xaxis.major_label_text_font_size = "1px"
        self.figure.xaxis.major_label_text_alpha = 0
        self.figure.xaxis.major_tick_line_color = None
        self.figure.xgrid.visible = False

    def show(self, values: pd.DataFrame, models: list[str], colours: Mapping[str, str]) -> None:
        """Show the models' bars in the order of `models`, groups in the order of the rows.

        Takes columns model, group and value (a fraction); rows of other models are left out.
        """
        values = values[values["model"].isin(models)].dropna(subset=["value"])
        groups = list(dict.fromkeys(values["group"]))
        self.figure.x_range.factors = [(group, model) for group in groups for model in models]
        upright = len(groups) >= _CROWDED
        self.figure.xaxis.group_label_orientation = "vertical" if upright else "horizontal"
        self._source.data = {
            "x": list(zip(values["group"], values["model"], strict=True)),
            **{name: values[name].to_numpy() for name in ("group", "model", "value")},
            "colour": values["model"].map(colours).to_numpy(),
        }
