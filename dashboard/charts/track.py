"""Closes through time, what a model said the session before with its 90 % interval, and where it missed."""

from typing import Any

import numpy as np
import pandas as pd
from bokeh.models import ColumnDataSource, HoverTool, Range1d

from dashboard.charts.base import by_session, chart, set_sessions
from dashboard.theme import ACCENT, DOWN, NEUTRAL

_COLUMNS = ("actual", "predicted", "lower_90", "upper_90")
_TOOLTIPS = [
    ("session", "@label"),
    ("close", "@actual{0,0.00}"),
    ("forecast", "@predicted{0,0.00}"),
    ("90 %", "@lower_90{0,0.00} to @upper_90{0,0.00}"),
]


class Track:
    """The chart. `show` changes what it shows; the figure stays the same."""

    def __init__(self) -> None:
        empty: dict[str, list[Any]] = {name: [] for name in ("x", "label", *_COLUMNS)}
        self._record = ColumnDataSource(empty)
        self._misses = ColumnDataSource(dict(empty))
        self.figure = drawn = chart(height=400, x_range=Range1d(0, 1), y_range=Range1d(0, 1))
        self._sessions = by_session(drawn)
        drawn.varea_step(
            "x", "lower_90", "upper_90", source=self._record, step_mode="center", fill_color=ACCENT, fill_alpha=0.2,
            legend_label="90 % interval",
        )  # fmt: skip
        drawn.line("x", "actual", source=self._record, color=NEUTRAL, line_width=2, legend_label="close")
        said = drawn.scatter("x", "predicted", source=self._record, size=5, color=ACCENT, legend_label="forecast")
        drawn.scatter(
            "x", "actual", source=self._misses, size=10, marker="diamond", color=DOWN, legend_label="outside"
        )  # fmt: skip
        drawn.add_tools(HoverTool(renderers=[said], tooltips=_TOOLTIPS, mode="vline"))
        drawn.legend.location = "top_left"
        drawn.legend.orientation = "horizontal"

    def show(self, record: pd.DataFrame) -> None:
        """Show one model's rows of `track_record`, by session; at least one. A session to come has no close yet."""
        n = len(record)
        data: dict[str, Any] = {name: record[name].to_numpy(dtype=float) for name in _COLUMNS}
        data["x"] = np.arange(n)
        data["label"] = [f"{session:%Y-%m-%d}" for session in record["target_session"]]
        missed = ~record["inside_90"].astype("boolean").fillna(value=True).to_numpy(dtype=bool)
        self._record.data = data
        self._misses.data = {name: np.asarray(values)[missed] for name, values in data.items()}
        set_sessions(self._sessions, [session.date() for session in record["target_session"]])
        low, high = np.nanmin(record[["actual", "lower_90"]]), np.nanmax(record[["actual", "upper_90"]])
        margin = 0.06 * (high - low) or 1
        self.figure.x_range.update(start=-0.8, end=n - 0.2)
        self.figure.y_range.update(start=low - margin, end=high + 3 * margin)
