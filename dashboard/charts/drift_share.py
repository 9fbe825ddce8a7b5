"""Which share of the inputs had drifted at each session that was checked."""

import pandas as pd
from bokeh.models import ColumnDataSource, HoverTool, NumeralTickFormatter, Range1d, Span

from dashboard.charts.base import by_session, chart, set_sessions
from dashboard.theme import ACCENT, NEUTRAL

_TOOLTIPS = [("session", "@label"), ("drifted inputs", "@share{0 %}")]


class DriftShare:
    """The chart. `show` changes what it shows; from `limit` on the inputs of a session count as drifted."""

    def __init__(self, limit: float) -> None:
        self._source = ColumnDataSource({name: [] for name in ("x", "share", "label")})
        self.figure = chart(height=420, y_range=Range1d(0, 1))
        self._sessions = by_session(self.figure)
        self.figure.line("x", "share", source=self._source, color=ACCENT, line_width=2)
        dots = self.figure.scatter("x", "share", source=self._source, color=ACCENT, size=7)
        self.figure.add_layout(
            Span(dimension="width", location=limit, line_color=NEUTRAL, line_dash="dashed", line_width=2)
        )
        self.figure.add_tools(HoverTool(renderers=[dots], tooltips=_TOOLTIPS))
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
