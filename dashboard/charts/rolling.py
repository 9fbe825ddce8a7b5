"""A figure of each model as of each session, beside what it should be."""

from collections.abc import Mapping

import pandas as pd
from bokeh.models import ColumnDataSource, HoverTool, NumeralTickFormatter, Range1d, Span

from dashboard.charts.base import by_session, chart, set_sessions
from dashboard.theme import NEUTRAL

_FEWEST = 20  # figures of fewer sessions say nothing and would stretch the axis; shown only where there is nothing else
_NOTHING: dict[str, list[str]] = {name: [] for name in ("model", "colour", "x", "y")}


class Rolling:
    """The chart. `show` changes what it shows; the figure stays the same.

    Args:
        column: of `live_performance`.
        reference: the value that is drawn dashed: 0 of skill, which is the random walk's, or the level of a coverage.
    """

    def __init__(self, column: str, reference: float) -> None:
        self._column, self._reference = column, reference
        self._source = ColumnDataSource(_NOTHING)
        self.figure = drawn = chart(height=280, x_range=Range1d(0, 1), y_range=Range1d(-1, 1))
        self._sessions = by_session(drawn)
        lines = drawn.multi_line("x", "y", source=self._source, color="colour", line_width=2.2, line_alpha=0.9)
        drawn.add_tools(HoverTool(renderers=[lines], tooltips=[("model", "@model"), ("", "$data_y{0.00 %}")]))
        drawn.add_layout(Span(location=reference, dimension="width", line_color=NEUTRAL, line_dash="dashed"))
        drawn.yaxis.formatter = NumeralTickFormatter(format="0.0 %")

    def show(self, performance: pd.DataFrame, colours: Mapping[str, str]) -> None:
        """Show one line a model. Takes rows of `live_performance`, by session; at least one."""
        said = performance[performance["n"] >= _FEWEST]
        performance = performance if said.empty else said
        sessions = sorted(performance["target_session"].unique())
        at = {session: i for i, session in enumerate(sessions)}
        models = sorted(performance["model"].unique())
        parts = [performance[performance["model"] == model] for model in models]
        self._source.data = {
            "model": models,
            "colour": [colours[model] for model in models],
            "x": [[at[session] for session in part["target_session"]] for part in parts],
            "y": [part[self._column].astype(float).tolist() for part in parts],
        }
        set_sessions(self._sessions, [pd.Timestamp(session).date() for session in sessions])
        reach = 1.15 * (performance[self._column] - self._reference).abs().max() or 0.01
        self.figure.x_range.update(start=-0.5, end=len(sessions) - 0.5)
        self.figure.y_range.update(start=self._reference - reach, end=self._reference + reach)
