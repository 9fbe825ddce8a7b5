"""How far each input has moved, as a multiple of what counts as drift; and the share of inputs that had drifted."""

import numpy as np
import pandas as pd
from bokeh.models import HoverTool, NumeralTickFormatter, Range1d

from dashboard.charts.base import by_session, chart, empty, rule, set_sessions
from dashboard.theme import ACCENT, DOWN

_INPUT = [("input", "@feature"), ("distance", "@statistic{0.00}"), ("drift above", "@threshold{0.00}")]
_SESSION = [("session", "@label"), ("drifted inputs", "@share{0 %}")]


class DriftBars:
    """Each input's distance. `show` changes what it shows; the figure stays the same."""

    def __init__(self) -> None:
        self._source = empty("feature", "ratio", "statistic", "threshold", "colour")
        self.figure = chart(height=420, y_range=[""])
        bars = self.figure.hbar(
            "feature", 0.66, "ratio", 0, source=self._source, color="colour", fill_alpha=0.8, line_alpha=0
        )
        rule(self.figure, 1, dimension="height")
        self.figure.add_tools(HoverTool(renderers=[bars], tooltips=_INPUT))
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


class DriftShare:
    """The share, session by session; from `limit` on the inputs of a session count as drifted."""

    def __init__(self, limit: float) -> None:
        self._source = empty("x", "share", "label")
        self.figure = chart(height=420, y_range=Range1d(0, 1))
        self._sessions = by_session(self.figure)
        self.figure.line("x", "share", source=self._source, color=ACCENT, line_width=2)
        dots = self.figure.scatter("x", "share", source=self._source, color=ACCENT, size=7)
        rule(self.figure, limit)
        self.figure.add_tools(HoverTool(renderers=[dots], tooltips=_SESSION))
        self.figure.yaxis.formatter = NumeralTickFormatter(format="0 %")

    def show(self, shares: "pd.Series[float]") -> None:
        """Show shares by session, ascending; at least one."""
        self._source.data = {
            "x": list(range(len(shares))),
            "share": shares.to_numpy(),
            "label": [f"{session:%Y-%m-%d}" for session in shares.index],
        }
        set_sessions(self._sessions, [session.date() for session in shares.index])
        self.figure.y_range.end = min(1.04, max(0.5, 1.2 * float(shares.max())))
