"""Charts of the page *Track record*. Each is built once; `show` changes what it shows."""

from collections.abc import Mapping
from typing import Any

import numpy as np
import pandas as pd
from bokeh.models import HoverTool, NumeralTickFormatter, Range1d

from dashboard.charts.base import by_session, chart, empty, rule, set_sessions
from dashboard.theme import ACCENT, DOWN, NEUTRAL

_COLUMNS = ("actual", "predicted", "lower_90", "upper_90")
_CLOSE = [
    ("session", "@label"),
    ("close", "@actual{0,0.00}"),
    ("forecast", "@predicted{0,0.00}"),
    ("90 %", "@lower_90{0,0.00} to @upper_90{0,0.00}"),
]
_FEWEST = 20  # figures of fewer sessions say nothing and would stretch the axis; shown only where there is nothing else


class Track:
    """Closes through time, what a model said the session before with its 90 % interval, and where it missed."""

    def __init__(self) -> None:
        self._record, self._misses = empty("x", "label", *_COLUMNS), empty("x", "label", *_COLUMNS)
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
        drawn.add_tools(HoverTool(renderers=[said], tooltips=_CLOSE, mode="vline"))
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


class Rolling:
    """A figure (column of `live_performance`) of each model as of each session, beside what it should be, drawn dashed.

    That is 0 of skill, which is the random walk's, or the level of a coverage.
    """

    def __init__(self, column: str, reference: float) -> None:
        self._column, self._reference = column, reference
        self._source = empty("model", "colour", "x", "y")
        self.figure = drawn = chart(height=280, x_range=Range1d(0, 1), y_range=Range1d(-1, 1))
        self._sessions = by_session(drawn)
        lines = drawn.multi_line("x", "y", source=self._source, color="colour", line_width=2.2, line_alpha=0.9)
        drawn.add_tools(HoverTool(renderers=[lines], tooltips=[("model", "@model"), ("", "$data_y{0.00 %}")]))
        rule(drawn, reference, line_width=1)
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


_NUMBERS = ("level", "coverage", "coverage_lower", "coverage_upper", "n")
_SPREAD = 0.034  # of all models at one level: their whiskers stand beside each other, away from the next level's
_KEPT = [
    ("model", "@model"),
    ("promised", "@level %"),
    ("kept", "@coverage{0.0 %} (@coverage_lower{0.0 %} to @coverage_upper{0.0 %})"),
    ("sessions", "@n"),
]


class Calibration:
    """What intervals promise beside what they keep: coverage over level, with its own uncertainty, and the diagonal."""

    def __init__(self) -> None:
        self._source = empty("model", "colour", "x", *_NUMBERS)
        self.figure = drawn = chart(height=440, x_range=Range1d(0.45, 1.0), y_range=Range1d(0, 1))
        drawn.line([0, 1], [0, 1], color=NEUTRAL, line_dash="dashed", line_width=1.6)
        drawn.segment(
            "x", "coverage_lower", "x", "coverage_upper", source=self._source, color="colour", line_width=2, alpha=0.75
        )
        points = drawn.scatter("x", "coverage", source=self._source, size=8, color="colour", line_color="white")
        drawn.add_tools(HoverTool(renderers=[points], tooltips=_KEPT))
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
