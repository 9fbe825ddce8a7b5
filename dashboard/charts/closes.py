"""What models said each session would close at, and where it did."""

from collections.abc import Mapping

import pandas as pd
from bokeh.models import HoverTool

from dashboard.charts.base import by_session, chart, empty, set_sessions
from dashboard.theme import BENCHMARK, NEUTRAL

_TOOLTIPS = [("session", "@label"), ("close", "@actual{0,0.00}"), ("the session before", "@naive{0,0.00}")]
_SAID = [("session", "@label"), ("@model", "@predicted{0,0.00}"), ("close", "@actual{0,0.00}")]


class Closes:
    """The chart. `show` changes what it shows; the figure stays the same."""

    def __init__(self) -> None:
        self._actual = empty("x", "label", "actual", "naive")
        self._lines = empty("xs", "ys", "colour")
        self._points = empty("x", "label", "actual", "predicted", "model", "colour")
        self.figure = chart(height=380)
        self._sessions = by_session(self.figure)
        self.figure.line(
            "x", "actual", source=self._actual, color=NEUTRAL, line_width=7, alpha=0.4, legend_label="what happened"
        )
        self.figure.step(
            "x", "naive", source=self._actual, color=NEUTRAL, line_dash="dotted", line_width=1.4, mode="center",
            legend_label="random walk",
        )  # fmt: skip
        self.figure.multi_line("xs", "ys", source=self._lines, color="colour", line_width=1.6)
        dots = self.figure.scatter("x", "predicted", source=self._points, color="colour", size=5, alpha=0.8)
        closes = self.figure.scatter("x", "actual", source=self._actual, color=NEUTRAL, size=7, alpha=0.01)
        self.figure.add_tools(HoverTool(renderers=[dots], tooltips=_SAID))
        self.figure.add_tools(HoverTool(renderers=[closes], tooltips=_TOOLTIPS))
        self.figure.legend.orientation = "horizontal"
        self.figure.add_layout(self.figure.legend[0], "above")

    def show(self, rows: pd.DataFrame, colours: Mapping[str, str]) -> None:
        """Show predictions beside closes. Takes rows of `predictions`, by model and target session; at least one."""
        known = rows.drop_duplicates("target_session").sort_values("target_session")
        place = {session: i for i, session in enumerate(known["target_session"])}
        labels = [f"{session:%Y-%m-%d}" for session in known["target_session"]]
        set_sessions(self._sessions, [session.date() for session in known["target_session"]])
        self._actual.data = {
            "x": list(range(len(known))),
            "label": labels,
            "actual": known["actual"].to_numpy(),
            "naive": known["naive"].to_numpy(),
        }
        said = rows[rows["model"] != BENCHMARK]
        x = said["target_session"].map(place).to_numpy()
        self._points.data = {
            "x": x,
            "label": [labels[i] for i in x],
            "actual": said["actual"].to_numpy(),
            "predicted": said["predicted"].to_numpy(),
            "model": said["model"].to_numpy(),
            "colour": said["model"].map(colours).to_numpy(),
        }
        by_model = [(str(model), own) for model, own in said.groupby("model")]
        self._lines.data = {
            "xs": [own["target_session"].map(place).to_numpy() for _, own in by_model],
            "ys": [own["predicted"].to_numpy() for _, own in by_model],
            "colour": [colours[model] for model, _ in by_model],
        }
